"""A download is whole and right, or it is an error that names the location and its answer."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import msgspec
import pytest

from builder.errors import EnvironmentFailure, SourceUnreachable, VerificationError
from builder.source.limit import LocationFailed
from builder.source.model import Location, Source
from builder.source.transfer import Partial
from builder.source.web import _judge_redirect
from tests.support.source.peer import answering, listen
from tests.support.source.server import BODY, DIGEST, Habits
from tests.support.source.site import QUICK, Site, source_of

ROOT = Path(__file__).resolve().parents[3]
CHILD = """
import sys
from pathlib import Path
from builder.console import Console
from builder.host.paths import Cache, Project
from builder.source.fetch import fetch
from builder.source.pins import open_lock
from builder.source.model import Location, Source
root, url = Path(sys.argv[1]), sys.argv[2]
project = Project(root / "project")
got = fetch(Source("tool", "tool.tar", (Location(url),)), cache=Cache(root / "cache"),
    project=project, lock=open_lock(project, "lts"), console=Console(interactive=False),
    locked=False)
print(got.sha256)
"""


def _child(site: Site, url: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, str(site.root), url],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


@pytest.mark.parametrize(
    "path",
    [
        "/good/a",
        "/moved",
        "/chunked",
        "/truncated",
        "/cut-without-range",
        "/ignores-range",
        "/flaky/500",
        "/flaky/503",
        "/flaky/429",
        "/patience/0",
        "/patience/Mon,_23_Nov_2020_00:00:00_GMT",
        "/patience/soon",
        "/reset",
    ],
)
def test_a_mishap_that_passes_is_survived(site: Site, server: Habits, path: str) -> None:
    got = site.fetch(source_of(server.url(path), sha256=DIGEST))
    assert got.path.read_bytes() == BODY
    assert (got.sha256, got.size) == (DIGEST, len(BODY))
    assert site.leftovers == []


def test_a_broken_download_goes_on_where_it_broke(site: Site, server: Habits) -> None:
    site.fetch(source_of(server.url("/truncated")))
    assert server.ranges("/truncated") == [
        None,
        "bytes=300000-",
        "bytes=600000-",
        "bytes=900000-",
    ]


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/status/404", "HTTP 404 Not Found"),
        ("/status/500", "HTTP 500"),
        ("/always-cut", "the connection ended after 1000 of 1048576 bytes"),
        ("/stalled", "no answer or no data for 0.4 s"),
        ("/endless", "larger than the limit of 2000000 bytes"),
        ("/loop", "more than 10 redirects"),
        ("/elsewhere", "not a web address"),
        ("/patience/3600", "retry after 3600 s"),
        ("/drip", "not whole after 1 s"),
    ],
)
def test_a_location_that_cannot_serve_is_named_with_its_answer(
    site: Site, server: Habits, path: str, answer: str
) -> None:
    # Only one is to run into the limit of the whole, however busy this machine is.
    total = 1.0 if path == "/drip" else 60.0
    bounds = msgspec.structs.replace(QUICK, total=total, attempts=2)
    with pytest.raises(SourceUnreachable) as failure:
        site.fetch(source_of(server.url(path), max_bytes=2_000_000), bounds=bounds)
    assert failure.value.exit_code == 3
    assert f"{server.url(path)}: " in failure.value.cause
    assert answer in failure.value.cause
    assert str(site.project.dropin) in failure.value.hint
    assert "tool.tar" in failure.value.hint


def test_all_mirrors_down_lists_every_one(site: Site, server: Habits) -> None:
    urls = ["http://127.0.0.1:1/x", server.url("/status/403"), "ftp://127.0.0.1:1/x", "file:none"]
    with pytest.raises(SourceUnreachable) as failure:
        site.fetch(source_of(*urls))
    lines = failure.value.cause.splitlines()
    assert [line.startswith(url) for line, url in zip(lines, urls, strict=True)] == [True] * 4
    assert "refused" in lines[0]
    assert "HTTP 403 Forbidden" in lines[1]
    assert "no such file" in lines[3]


def test_the_next_mirror_is_asked_when_one_fails(site: Site, server: Habits) -> None:
    got = site.fetch(source_of(server.url("/status/404"), server.url("/good/b")))
    assert got.url == server.url("/good/b")


def test_a_declared_size_over_the_limit_is_refused_before_a_byte(
    site: Site, server: Habits
) -> None:
    with pytest.raises(SourceUnreachable, match="larger than the limit of 1000 bytes"):
        site.fetch(source_of(server.url("/good/c"), max_bytes=1000))
    assert site.leftovers == []


def test_wrong_bytes_stop_the_run_and_are_kept_aside(site: Site, server: Habits) -> None:
    source = source_of(server.url("/wrong"), server.url("/good/d"), sha256=DIGEST)
    with pytest.raises(VerificationError) as failure:
        site.fetch(source)
    assert failure.value.exit_code == 4
    assert server.url("/wrong") in failure.value.what
    assert DIGEST in failure.value.cause
    kept = list(site.cache.aside.iterdir())
    assert [path.read_bytes() for path in kept] == [b"wrong"]
    assert str(kept[0]) in failure.value.cause
    assert server.counts["/good/d"] == 0


def test_password_is_never_shown(site: Site, server: Habits) -> None:
    url = server.url("/flaky/500").replace("http://", "http://me:sesame@")
    site.fetch(source_of(url))
    assert "sesame" not in site.said.getvalue()
    assert "sesame" not in site.lock.path.read_text()
    with pytest.raises(SourceUnreachable) as failure:
        site.fetch(source_of(url.replace("/flaky/500", "/status/404"), name="other"))
    assert "sesame" not in str(failure.value)


def test_https_never_goes_down_to_http() -> None:
    _judge_redirect("http://a/", "https://b/")
    with pytest.raises(LocationFailed, match="from https down to http://b/"):
        _judge_redirect("https://a/", "http://me:sesame@b/")


def test_a_killed_download_is_gone_on_with(site: Site, server: Habits) -> None:
    url = server.url("/slow")
    child = _child(site, url)
    partial = site.cache.partial
    deadline = time.monotonic() + 20
    while not any(path.stat().st_size > 100_000 for path in partial.glob("*")):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    child.communicate()
    got = site.fetch(source_of(url))
    assert got.path.read_bytes() == BODY
    assert server.ranges("/slow")[-1] is not None
    assert site.leftovers == []


def test_a_whole_partial_file_is_taken_as_it_is(site: Site, server: Habits) -> None:
    source = source_of(server.url("/good/e"))
    site.fetch(source)
    _put_partial(site, server, "/good/e", BODY)
    site.fetch(source, update=True)
    assert server.ranges("/good/e") == [None, f"bytes={len(BODY)}-"]


def test_a_partial_file_that_no_longer_fits_is_begun_anew(site: Site, server: Habits) -> None:
    _put_partial(site, server, "/good/f", b"x" * 1000)
    got = site.fetch(source_of(server.url("/good/f"), sha256=DIGEST))
    assert got.path.read_bytes() == BODY
    _put_partial(site, server, "/good/g", b"x" * (len(BODY) + 5))
    got = site.fetch(source_of(server.url("/good/g"), name="longer"))
    assert got.sha256 == DIGEST


@pytest.mark.parametrize("what", ["tag", "total", "start", "nothing", "end"])
def test_parts_of_two_files_are_never_joined(site: Site, server: Habits, what: str) -> None:
    path = f"/swapped/{what}"
    _put_partial(site, server, path, b"x" * 1000)
    if what == "end":
        _put_partial(site, server, path, b"x" * len(BODY))
    got = site.fetch(source_of(server.url(path)))
    assert got.sha256 == DIGEST
    assert server.ranges(path)[-1] is None
    assert site.leftovers == []


def test_parts_that_do_not_fit_are_fetched_anew_in_the_same_run(site: Site, server: Habits) -> None:
    """The server changes its file behind the same validator, while it is fetched."""
    server.body = b"x" * len(BODY)

    def change() -> None:
        while not server.counts["/truncated"]:
            time.sleep(0.001)
        server.body = BODY

    thread = threading.Thread(target=change)
    thread.start()
    got = site.fetch(source_of(server.url("/truncated"), sha256=DIGEST))
    thread.join()
    assert got.path.read_bytes() == BODY
    assert "restarting the download" in site.said.getvalue()


def _put_partial(site: Site, server: Habits, path: str, data: bytes) -> None:
    partial = Partial.of(site.cache.partial, server.url(path))
    partial.path.write_bytes(data)
    partial.remember(server.tag, len(BODY))


def test_two_runs_download_once_and_the_second_says_for_whom_it_waits(
    site: Site, server: Habits
) -> None:
    first = _child(site, server.url("/gated"))
    while not server.requests:
        assert first.poll() is None
        time.sleep(0.01)
    second = _child(site, server.url("/gated"))
    assert second.stderr is not None
    assert f"waiting for process {first.pid}" in second.stderr.readline()
    server.gate.set()
    ended = [child.communicate(timeout=60)[0] for child in (first, second)]
    assert [out.strip() for out in ended] == [DIGEST, DIGEST]
    assert server.counts["/gated"] == 1


def test_a_full_disk_is_told_with_folder_and_need(site: Site, server: Habits) -> None:
    script = 'mount -t tmpfs -o size=512k none "$1" && exec "$2" -c "$3" "$1" "$4"'
    site.root.mkdir(exist_ok=True)
    space = ["unshare", "--mount"]
    if os.geteuid() != 0:
        space += ["--user", "--map-root-user"]
    ended = subprocess.run(
        [*space, "sh", "-c", script, "sh", site.root, sys.executable, CHILD, server.url("/good/h")],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert "EnvironmentFailure" in ended.stderr
    assert f"no space left in {site.cache.partial}" in ended.stderr
    assert "bytes more are needed" in ended.stderr
    assert EnvironmentFailure.exit_code == 7


def test_a_member_of_a_package_is_taken_out(site: Site, server: Habits, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN/control").write_text(
        "Package: x\nVersion: 1\nArchitecture: all\nMaintainer: nobody\nDescription: x\n"
    )
    (tree / "usr/src").mkdir(parents=True)
    (tree / "usr/src/x.tar").write_bytes(BODY)
    package = tmp_path / "x.deb"
    subprocess.run(["dpkg-deb", "-Znone", "-b", tree, package], check=True, capture_output=True)
    server.body = package.read_bytes()
    url = server.url("/good/x.deb")
    got = site.fetch(Source("x", "x.tar", (Location(url, member="usr/src/x.tar"),)))
    assert got.path.read_bytes() == BODY
    assert got.url == f"{url}#usr/src/x.tar"
    assert site.leftovers == []
    with pytest.raises(VerificationError, match="usr/none is not in it"):
        site.fetch(Source("y", "y.tar", (Location(url, member="usr/none"),)))
    with pytest.raises(VerificationError, match="not a plain file"):
        site.fetch(Source("z", "z.tar", (Location(url, member="usr/src"),)))


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n99\r\nx", "is cut or malformed"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nx", "is cut or malformed"),
        (b"\x1f\x8b\x08\xff\x00\r\n\r\n", "it does not answer in HTTP"),
        (b"220 ftp.example.com ready\r\n", "it does not answer in HTTP: 220 ftp.example.com ready"),
    ],
)
def test_what_is_no_http_is_told_in_plain_words(site: Site, answer: bytes, told: str) -> None:
    with listen(answering(answer)) as port, pytest.raises(SourceUnreachable) as failure:
        site.fetch(source_of(f"http://127.0.0.1:{port}/tool.tar"))
    assert failure.value.cause.endswith(told)
