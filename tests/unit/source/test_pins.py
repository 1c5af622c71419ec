"""Nothing is taken that is not pinned, and what is pinned is found without a network."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from builder.digest import Digest
from builder.errors import Interrupted, SourceUnreachable, UsageError, VerificationError
from builder.source.fetch import fetch
from builder.source.model import Location, Source
from builder.source.pins import SourcesLock
from tests.damage import spoil
from tests.support.source.server import BODY, DIGEST, Habits, tar_of
from tests.support.source.site import Site, source_of

ROOT = Path(__file__).resolve().parents[3]


def test_first_use_is_announced_and_pinned(site: Site, server: Habits) -> None:
    source = source_of(server.url("/good/a"))
    site.fetch(source)
    assert f"first use, no digest was known: sha256 {DIGEST}" in site.said.getvalue()
    text = site.lock.path.read_text()
    assert f'sha256 = "{DIGEST}"' in text
    assert "[tool.upstream]" in text
    pin = site.lock.pins("tool")["upstream"]
    assert (pin.size, pin.url, pin.file) == (len(BODY), server.url("/good/a"), "tool.tar")


def test_first_use_is_refused_when_locked(site: Site, server: Habits) -> None:
    with pytest.raises(VerificationError, match="--locked forbids its first use"):
        site.fetch(source_of(server.url("/good/a")), locked=True)
    assert server.requests == []
    assert not site.lock.path.exists()


def test_what_is_pinned_is_fetched_when_locked(site: Site, server: Habits) -> None:
    source = source_of(server.url("/good/a"))
    site.fetch(source).path.unlink()
    before = site.lock.path.read_text()
    assert site.fetch(source, locked=True).sha256 == DIGEST
    assert site.lock.path.read_text() == before


def test_locked_and_update_exclude_each_other(site: Site, server: Habits) -> None:
    with pytest.raises(UsageError):
        site.fetch(source_of(server.url("/good/a")), locked=True, update=True)


def test_other_bytes_than_the_pinned_ones_are_an_error(site: Site, server: Habits) -> None:
    source = source_of(server.url("/good/a"))
    site.fetch(source).path.unlink()
    server.body = tar_of(b"other")
    with pytest.raises(VerificationError) as failure:
        site.fetch(source)
    assert DIGEST in failure.value.cause
    got = site.fetch(source, update=True)
    assert got.path.read_bytes() == server.body
    assert site.lock.pins("tool")["upstream"].sha256 == got.sha256


def test_each_location_may_have_bytes_of_its_own(site: Site, server: Habits) -> None:
    locations = (
        Location(server.url("/status/404"), sha256=Digest("0" * 64)),
        Location(server.url("/good/a"), sha256=Digest(DIGEST)),
    )
    got = site.fetch(Source("tool", "tool.tar", locations), locked=True)
    assert got.sha256 == DIGEST
    assert site.fetch(Source("tool", "tool.tar", locations), locked=True) == got


def test_under_locked_another_kind_must_serve_the_pinned_bytes(site: Site, server: Habits) -> None:
    site.drop_in("tool.tar", BODY)
    source = source_of(server.url("/good/a"))
    site.fetch(source).path.unlink()
    (site.project.dropin / "tool.tar").unlink()
    assert site.lock.pins("tool").keys() == {"drop-in"}
    assert site.fetch(source, locked=True).sha256 == DIGEST
    assert site.fetch(source, locked=True).url == "sources/tool.tar"
    site.fetch(source).path.unlink()
    server.body = b"other"
    with pytest.raises(VerificationError, match="is not what was pinned"):
        site.fetch(source, locked=True)


def test_the_drop_in_folder_goes_before_all_locations(site: Site, server: Habits) -> None:
    site.drop_in("tool.tar", BODY)
    got = site.fetch(source_of(server.url("/good/a"), sha256=DIGEST), locked=True)
    assert got.url == "sources/tool.tar"
    assert server.requests == []


def test_a_wrong_drop_in_file_is_an_error(site: Site, server: Habits) -> None:
    site.drop_in("tool.tar", b"wrong")
    with pytest.raises(VerificationError, match=r"from sources/tool\.tar"):
        site.fetch(source_of(server.url("/good/a"), sha256=DIGEST))


def test_file_locations_are_relative_to_the_project(site: Site) -> None:
    site.project.root.mkdir()
    (site.project.root / "a b.tar").write_bytes(BODY)
    assert site.fetch(source_of("file:a%20b.tar")).sha256 == DIGEST
    absolute = f"file://{site.project.root}/a%20b.tar"
    assert site.fetch(source_of(absolute, name="same")).sha256 == DIGEST
    with pytest.raises(SourceUnreachable, match="larger than the limit"):
        site.fetch(source_of("file:a%20b.tar", max_bytes=9, name="small"))


def test_an_unknown_scheme_is_a_usage_error(site: Site) -> None:
    with pytest.raises(UsageError, match="gopher"):
        site.fetch(source_of("gopher://x/y"))


def test_a_hit_takes_no_time_no_network_and_no_requests_module(site: Site, server: Habits) -> None:
    source = source_of(server.url("/good/a"))
    site.fetch(source)
    asked = len(server.requests)
    lock, began = site.lock, time.process_time()
    for _ in range(100):
        fetch(
            source,
            cache=site.cache,
            project=site.project,
            lock=lock,
            console=site.console,
            locked=True,
        )
    assert (time.process_time() - began) / 100 < 0.005  # whatever else this machine does
    assert len(server.requests) == asked
    script = "import sys, builder.source; sys.exit('requests' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=False).returncode == 0


@pytest.mark.parametrize("bad", [b"cut", BODY[:-1] + b"!"], ids=["shorter", "same size"])
def test_a_damaged_blob_is_told_put_aside_and_fetched_anew(
    site: Site, server: Habits, bad: bytes
) -> None:
    source = source_of(server.url("/good/a"))
    got = site.fetch(source)
    spoil(got.path, bad)
    assert site.fetch(source).path.read_bytes() == BODY
    (kept,) = site.cache.aside.iterdir()
    assert kept.read_bytes() == bad
    found = hashlib.sha256(bad).hexdigest()
    said = site.said.getvalue()
    assert f"tool.tar in the cache is damaged: its sha256 is {found}; kept as {kept}" in said


def test_a_damaged_blob_that_nobody_serves_is_a_verification_error(site: Site) -> None:
    site.project.root.mkdir()
    origin = site.project.root / "a.tar"
    origin.write_bytes(BODY)
    source = source_of("file:a.tar")
    got = site.fetch(source)
    origin.unlink()
    spoil(got.path, BODY[:-1] + b"!")
    with pytest.raises(VerificationError) as failure:
        site.fetch(source)
    assert failure.value.what.startswith("tool.tar in the cache is damaged, and no location")
    for words in (f"sha256 expected {DIGEST}", "kept as ", "file:a.tar: no such file"):
        assert words in failure.value.cause
    assert f"put tool.tar (sha256 {DIGEST}) into {site.project.dropin}" in failure.value.hint


def test_of_two_known_blobs_the_sound_one_is_taken(site: Site, server: Habits) -> None:
    other = b"other bytes of the same release"
    site.drop_in("tool.tar", other)
    digest = Digest(hashlib.sha256(other).hexdigest())
    got = site.fetch(Source("tool", "tool.tar", (Location("file:none", sha256=digest),)))
    (site.project.dropin / "tool.tar").unlink()
    locations = (
        Location("file:none", sha256=digest),
        Location(server.url("/good/a"), sha256=Digest(DIGEST)),
    )
    site.fetch(source_of(server.url("/good/a"), name="same"))
    spoil(got.path, other[::-1])
    asked = len(server.requests)
    assert site.fetch(Source("tool", "tool.tar", locations)).sha256 == DIGEST
    assert len(server.requests) == asked


def test_blobs_are_read_only(site: Site, server: Habits) -> None:
    got = site.fetch(source_of(server.url("/good/a")))
    assert got.path.stat().st_mode & 0o777 == 0o444


PIN = """\
[tool.upstream]
file = "tool.tar"
sha256 = "{digest}"
size = {size}
url = "https://builder.invalid/tool.tar"
date = 2026-11-23
"""


@pytest.mark.parametrize(
    ("digest", "size", "line", "words"),
    [
        ("../../../../etc/hostname", 9, 3, "has 64 hexadecimal digits"),
        (DIGEST[:-1], 9, 3, "has 64 hexadecimal digits"),
        (f"{DIGEST}\\n", 9, 3, "has 64 hexadecimal digits"),
        (DIGEST, -1, 4, ">= 0"),
        (DIGEST, "true", 4, "`int`"),
    ],
)
def test_a_pin_that_is_none_is_refused_with_its_line(
    site: Site, digest: str, size: object, line: int, words: str
) -> None:
    site.lock.path.parent.mkdir(parents=True)
    site.lock.path.write_text(PIN.format(digest=digest, size=size))
    with pytest.raises(UsageError) as failure:
        _ = site.lock
    assert failure.value.what.startswith(f"specs/lts/sources.lock:{line} ")
    assert words in failure.value.cause
    assert failure.value.exit_code == 2


def test_capitals_are_the_same_digits(site: Site, server: Habits) -> None:
    assert DIGEST.upper() != DIGEST
    site.lock.path.parent.mkdir(parents=True)
    site.lock.path.write_text(PIN.format(digest=DIGEST.upper(), size=len(BODY)))
    assert site.lock.pins("tool")["upstream"].sha256 == DIGEST
    got = site.fetch(source_of(server.url("/good/a"), sha256=DIGEST.upper()), locked=True)
    assert got.path.name == DIGEST


def test_the_lock_is_sorted_and_stable(site: Site, server: Habits) -> None:
    for name in ("zebra", "alpha", "odd.name"):
        site.fetch(source_of(server.url("/good/a"), name=name))
    text = site.lock.path.read_text()
    assert [line for line in text.splitlines() if line.startswith("[")] == [
        "[alpha.upstream]",
        '["odd.name".upstream]',
        "[zebra.upstream]",
    ]
    old = text.replace("date = 2", "date = 1")
    site.lock.path.write_text(old)
    site.fetch(source_of(server.url("/good/a"), name="alpha"), update=True)
    assert site.lock.path.read_text() == old


def test_a_broken_lock_file_is_told_by_name(site: Site) -> None:
    site.lock.path.parent.mkdir(parents=True)
    site.lock.path.write_text('[tool.upstream]\nfile = "x"\ndigest = "y"\n')
    with pytest.raises(UsageError, match=r"sources\.lock"):
        _ = site.lock


def test_a_stop_ends_a_download_and_a_wait(site: Site, server: Habits) -> None:
    stop = threading.Event()
    threading.Timer(0.15, stop.set).start()
    with pytest.raises(Interrupted):
        fetch(
            source_of(server.url("/drip")),
            cache=site.cache,
            project=site.project,
            lock=site.lock,
            console=site.console,
            locked=False,
            stop=stop,
        )
    assert len(site.leftovers) == 2  # the bytes so far and their note, for the next run


LOCK = """\
[tool.upstream]
file = "tool.tar"
sha256 = "SHA"
size = 1
url = "https://a.invalid/tool.tar"
date = 2026-11-23
"""


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ('"tool.tar"', '"../tool.tar"', 2, "a file's name has no '/'"),
        ("SHA", "../x", 3, "is not a SHA-256 digest"),
        ("size = 1", "size = -1", 4, ">= 0"),
        ('url = "https://a.invalid/tool.tar"', 'url = "a\\nb"', 5, "not one line of text"),
        ("date = 2026-11-23", "date = 2026-02-30", 6, "line 6"),
        ("date = 2026-11-23", 'date = "soon"', 6, "tool.upstream.date"),
        ("[tool.upstream]", '["../tool".upstream]', 1, "is not the name of a source"),
        ("[tool.upstream]", '[tool."../x"]', 1, "is not the name of a tool"),
        ("[tool.upstream]", "[tool.upstream]\ncolour = 1", 2, "colour"),
    ],
)
def test_a_lock_s_values_are_judged_where_it_is_read(
    tmp_path: Path, old: str, new: str, line: int, words: str
) -> None:
    assert LOCK.count(old) == 1
    path = tmp_path / "sources.lock"
    path.write_text(LOCK.replace(old, new).replace("SHA", "0" * 64))
    with pytest.raises(UsageError) as caught:
        SourcesLock(path)
    assert caught.value.what == f"{tmp_path.name}/sources.lock:{line} cannot be used"
    assert words in caught.value.cause
