"""The host's apt client serves sources, and the host's own apt state stays as it was.

These tests talk to the package registry that this host is set up for.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from builder.errors import SourceUnreachable
from builder.host import tools
from builder.source import apt, aptconf
from builder.source.fetch import fetch
from builder.source.limit import Limit
from builder.source.model import Location, Source
from builder.source.pins import open_lock
from tests.support.source.server import Habits
from tests.support.source.site import QUICK, Site, source_of

pytestmark = [
    pytest.mark.registry,
    pytest.mark.skipif(
        shutil.which("apt-get") is None, reason="this host has no apt client to test with"
    ),
]
TARBALL = "ipvsadm_1.31.orig.tar.gz"
HELLO = Source(
    "hello", "copyright", (Location("apt:hello", member="usr/share/doc/hello/copyright"),)
)
HOST_STATE = (Path("/var/lib/apt"), Path("/var/cache/apt"), Path("/etc/apt"))


@pytest.fixture(scope="module")
def lists(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One apt state for all tests here: its lists are 20 MB."""
    yield tmp_path_factory.mktemp("apt")


@pytest.fixture
def site(tmp_path: Path, lists: Path) -> Site:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache/apt").symlink_to(lists)
    return Site(tmp_path)


def _state() -> list[tuple[str, int, int]]:
    return sorted(
        (str(path), path.stat().st_size, path.stat().st_mtime_ns)
        for root in HOST_STATE
        for path in root.rglob("*")
        if path.is_file()
    )


def test_packages_are_fetched_and_the_host_is_left_alone(site: Site) -> None:
    before = _state()
    tarball = site.fetch(Source("ipvsadm", TARBALL, (Location("apt-source:ipvsadm"),)))
    assert tarball.path.read_bytes()[:2] == b"\x1f\x8b"
    assert tarball.version is not None
    assert re.match(r"1:1\.31-", tarball.version)
    text = Location("apt:hello", member="usr/share/doc/hello/copyright")
    hello = site.fetch(Source("hello", "copyright", (text,)))
    assert b"GNU" in hello.path.read_bytes()
    assert hello.url == "apt:hello#usr/share/doc/hello/copyright"
    assert _state() == before
    assert site.leftovers == []
    pin = site.lock.pins("ipvsadm")["apt-source"]
    assert (pin.url, pin.version) == ("apt-source:ipvsadm", tarball.version)
    exact = f"apt-source:ipvsadm={tarball.version}"
    assert site.fetch(Source("exact", TARBALL, (Location(exact),))).sha256 == tarball.sha256


@pytest.mark.parametrize(
    ("url", "answer"),
    [
        ("apt:no-such-package", "Unable to locate package no-such-package"),
        ("apt:hello=9.9", "revision 9.9 of hello is gone, the newest is 2."),
        ("apt-source:no-such-package", "Unable to find a source package"),
        ("apt:--help", "'--help' is not a package name"),
        ("apt:linux-source-6.1", "more than the limit of 1000 bytes"),
    ],
)
def test_apts_own_words_are_told(site: Site, url: str, answer: str) -> None:
    with pytest.raises(SourceUnreachable, match=re.escape(answer)):
        site.fetch(source_of(url, max_bytes=1000))


def test_a_pinned_version_that_is_gone_is_no_loss_while_its_bytes_are_there(site: Site) -> None:
    source = Source("ipvsadm", TARBALL, (Location("apt-source:ipvsadm"),))
    got = site.fetch(source)
    got.path.unlink()
    path = site.lock.path
    before = path.read_text().replace(f'version = "{got.version}"', 'version = "1:1.31-0"')
    path.write_text(before)
    assert site.fetch(source).version == got.version
    assert path.read_text() == before


def test_lists_are_refreshed_when_a_day_old(site: Site, lists: Path) -> None:
    source = HELLO
    site.fetch(source).path.unlink()
    os.utime(lists / "refreshed", (0, 0))
    site.said.truncate(0)
    site.fetch(source).path.unlink()
    assert "refreshing" in site.said.getvalue()
    site.said.truncate(0)
    site.fetch(source)
    assert "refreshing" not in site.said.getvalue()


USER = """
import sys
from pathlib import Path
from tests.support.source.site import Site
from tests.small.source.test_apt import HELLO
site = Site(Path(sys.argv[1]))
print(site.fetch(HELLO).version)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user runs every test of this file")
def test_an_ordinary_user_can_fetch(tmp_path: Path, server: Habits) -> None:
    command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    # The checkout may be below a home that others cannot enter.
    command += ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    python = [sys.executable, "-c", USER]
    home = Path("/var/tmp") / f"fetch-test-{os.getpid()}"
    home.mkdir()
    try:
        os.chown(home, 65534, 65534)
        ended = subprocess.run(
            [*command, *python, home],
            capture_output=True,
            text=True,
            check=False,
            cwd=Path(__file__).resolve().parents[3],
            env={"PATH": os.environ["PATH"], "HOME": str(home)},
        )
    finally:
        shutil.rmtree(home)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith("2.")


def test_a_host_without_apt_is_a_location_that_failed(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr(tools, "SYSTEM_PATH", "/nonexistent")
    with pytest.raises(SourceUnreachable, match="no apt client"):
        site.fetch(source_of("apt:hello"))


def test_a_stop_ends_apt(site: Site) -> None:
    stop = threading.Event()
    stop.set()
    limit = Limit("fetch of hello", 60, stop)
    client = apt.Apt(site.cache.apt, site.cache.locks, site.root / "x", site.console, limit)
    with pytest.raises(Exception, match="stopped"):
        client.download(apt.parse("apt:hello", None), 1 << 20, renew=True)


def test_every_form_of_host_sources_is_understood() -> None:
    lines = (
        "# deb http://old x y\n"
        "deb [arch=amd64,i386 signed-by=/k.gpg] http://one/debian suite main contrib # why\n"
        "deb-src http://two/debian ./\n"
        "deb cdrom:[Debian]/ x main\n"
    )
    one, two = aptconf.from_lines(lines)
    assert one == (
        "Types: deb deb-src\nURIs: http://one/debian\nSuites: suite\nComponents: main contrib\n"
        "Architectures: amd64 i386\nSigned-By: /k.gpg\n"
    )
    assert two == "Types: deb deb-src\nURIs: http://two/debian\nSuites: ./\n"
    stanzas = (
        "# one\nTypes: deb\nURIs: http://one\nSuites: a b\nComponents: main\nSigned-By:\n key\n .\n"
        "\n\nTypes: deb\nURIs: http://two\nSuites: x\nEnabled: no\n"
        "\nTypes: deb\nURIs: cdrom:[x]/\nSuites: x\n"
    )
    assert list(aptconf._from_stanzas(stanzas)) == [
        "Types: deb deb-src\nURIs: http://one\nSuites: a b\nComponents: main\nSigned-By:\n"
        " key\n .\n"
    ]


def test_a_lock_without_network_is_enough(site: Site) -> None:
    source = HELLO
    got = site.fetch(source)
    again = fetch(
        source,
        cache=site.cache,
        project=site.project,
        lock=open_lock(site.project, "lts"),
        console=site.console,
        locked=True,
        bounds=QUICK,
    )
    assert again == got
