"""What becomes of a root whose packages, signatures or container are not as they must be.

Stand-ins for dnf, rpm's programs and mmdebstrap say what the real ones say.
"""

from __future__ import annotations

import io
import os
import struct
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from builder.base import bootstrap, signed, snapshot, vault, yum
from builder.base.method import Bootstrapped, Order, Patience
from builder.base.model import Base, load_base
from builder.base.packages import BasePackage, of_rpms
from builder.console import Console
from builder.digest import of_file
from builder.engine import container
from builder.engine.container import Engine
from builder.engine.location import Endpoint
from builder.errors import (
    BuilderError,
    BuildError,
    DiskFull,
    EnvironmentFailure,
    SourceUnreachable,
    VerificationError,
)
from tests.support.engine import peer as peers
from tests.support.engine.peer import OUT, Container, Peer, Say
from tests.support.setup.checkout import program
from tests.support.source import rpms
from tests.world import ROOT

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="a user needs subordinate ids for it")
SETTINGS = """
name = "old"
method = "yum"
release = "6.10"
arch = "x86_64"
repositories = ["os", "updates"]
mirrors = ["{mirror}"]
keys = ["test.asc"]
first = ["rpm"]
uname = "2.6.32"
vsyscall = true
nofile = [1024, 524288]
epoch = 1606694400
build = ["build.txt"]
[guest.sysv]
packages = ["build.txt"]
files = ["build.txt"]
provides = "build.txt"
"""
GOOD = "    Header V3 RSA/SHA1 Signature, key ID 0946fca2: OK\n    MD5 digest: OK (00)\n"
CHECKSIG = """\
case "$*" in *--import*) {imported} ;; esac
shift 3
for rpm; do printf '%s:\\n{told}' "$rpm"; done
"""
DNF = """\
for word; do case $word in --downloaddir=*) target=${{word#*=}} ;; esac; done
cp {rpms}/*.rpm "$target"
"""


def header(fields: Mapping[int, str | int]) -> bytes:
    """An RPM's header of these tags (rpm's doc/manual/format_header.md)."""
    index = store = b""
    for tag, value in sorted(fields.items()):
        kind = 4 if isinstance(value, int) else 6
        store += bytes(-len(store) % (4 if kind == 4 else 1))
        index += struct.pack(">IIII", tag, kind, len(store), 1)
        store += struct.pack(">I", value) if isinstance(value, int) else f"{value}\0".encode()
    return b"\x8e\xad\xe8\1\0\0\0\0" + struct.pack(">II", len(fields), len(store)) + index + store


def rpm(folder: Path, name: str, *, epoch: int | None = None) -> Path:
    fields: dict[int, str | int] = {1000: name, 1001: "1", 1002: "2", 1022: "x86_64"}
    if epoch is not None:
        fields[1003] = epoch
    return rpms.write(folder / f"{name}-1-2.x86_64.rpm", {}, header(fields), b"payload")


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of stand-ins, the first on PATH; all of them succeed."""
    home, packages = tmp_path / "bin", tmp_path / "rpms"
    packages.mkdir()
    rpm(packages, "rpm")
    rpm(packages, "tool", epoch=3)
    program(home, "dnf", DNF.format(rpms=packages))
    program(home, "rpmkeys", CHECKSIG.format(imported="exit 0", told=GOOD))
    program(home, "rpm2cpio", 'cat "$1"')
    program(home, "cpio", "cat >taken")
    monkeypatch.setenv("PATH", f"{home}:{os.environ['PATH']}")
    monkeypatch.delenv(vault.VARIABLE, raising=False)
    monkeypatch.setattr(container, "OOM_SECONDS", 0.0)
    return home


@pytest.fixture
def base(tmp_path: Path) -> Base:
    """A base of RPMs on a mirror of empty metadata."""
    folder, mirror = tmp_path / "old", tmp_path / "mirror"
    folder.mkdir()
    for repository in ("os", "updates"):
        repodata = mirror / "6.10" / repository / "x86_64" / "repodata"
        repodata.mkdir(parents=True)
        (repodata / "repomd.xml").touch()
    (folder / "base.toml").write_text(SETTINGS.format(mirror=f"file://{mirror}"))
    (folder / "build.txt").write_text("rpm\ntool\n")
    (folder / "test.asc").write_text("a key")
    return load_base(folder)


def _set(base: Base, **settings: object) -> Base:
    """The base with other settings."""
    return msgspec.structs.replace(
        base, settings=msgspec.structs.replace(base.settings, **settings)
    )


def install(run: Container, say: Say) -> int:
    """The container in which the first root's rpm makes the real one."""
    out = run.mounts["/out"]
    (out / "packages").write_text("rpm=1-2.x86_64\ntool=1-2.x86_64\n")
    (out / "root.tar").write_bytes(b"the root")
    say(OUT, b"installed\n")
    return 0


def made(base: Base, folder: Path, act: Callable[[Peer], object] = lambda _: None) -> Bootstrapped:
    """The root, by an engine that is a peer; ``act`` changes what that does."""
    with peers.serve(folder) as peer:
        peer.program = install
        act(peer)

        def engine() -> Engine:
            return Engine(Endpoint(peer.url, "the engine"), peers.API)

        console = Console(io.StringIO(), interactive=False)
        target = folder / "out" / "root.tar"
        done = yum.bootstrap(Order(base, "build", target, console, folder / "log", engine))
        assert peer.imported, "the first root"
        assert peer.images == set(), "it is not kept"
        return done


def test_a_root_has_the_packages_that_its_own_rpm_lists(
    host: Path, base: Base, tmp_path: Path
) -> None:
    done = made(base, tmp_path)
    packages = tmp_path / "rpms"
    assert done.packages == (
        BasePackage("rpm", "1-2", "x86_64", of_file(packages / "rpm-1-2.x86_64.rpm")),
        BasePackage("tool", "3:1-2", "x86_64", of_file(packages / "tool-1-2.x86_64.rpm")),
    )
    assert (tmp_path / "out" / "root.tar").read_bytes() == b"the root"
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["root.tar"]
    assert "installed" in (tmp_path / "log").read_text()


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        (139, EnvironmentFailure, "as without vsyscall"),
        (1, BuildError, "the build root of old could not be made"),
    ],
)
def test_a_container_that_fails_is_told_with_what_may_be_its_reason(
    host: Path, base: Base, tmp_path: Path, status: int, kind: type[BuilderError], words: str
) -> None:
    def fail(peer: Peer) -> None:
        peer.program = lambda run, say: status

    with pytest.raises(kind, match=words) as caught:
        made(base, tmp_path, fail)
    assert caught.value.log == tmp_path / "log"
    assert [path.name for path in (tmp_path / "out").iterdir()] == []


def test_an_official_image_is_pulled_once_and_kept(host: Path, base: Base, tmp_path: Path) -> None:
    reference = f"registry.invalid/old@sha256:{'0' * 64}"
    console = Console(io.StringIO(), interactive=False)
    with peers.serve(tmp_path) as peer:
        peer.program = install
        engine = Engine(Endpoint(peer.url, "the engine"), peers.API)
        for number in range(2):
            target = tmp_path / f"out{number}" / "root.tar"
            yum.bootstrap(
                Order(
                    _set(base, image=reference),
                    "build",
                    target,
                    console,
                    tmp_path / "log",
                    lambda: engine,
                )
            )
            peer.images.add(reference)
        assert len(peer.pulled) == 1
        assert peer.imported == {}


@pytest.mark.parametrize(
    ("words", "kind", "hint"),
    [
        ("Error: Unable to find a match: tool", BuildError, "fix the package lists of base old"),
        ("Curl error (7): Connection refused", SourceUnreachable, vault.VARIABLE),
        ("[Errno 28] No space left on device", DiskFull, "free space on the cache's disk"),
        ("Killed", BuildError, "see the log"),
    ],
)
def test_a_download_that_fails_is_told_by_its_kind(
    host: Path, base: Base, tmp_path: Path, words: str, kind: type[BuilderError], hint: str
) -> None:
    program(host, "dnf", f"echo begin; echo '{words}' >&2; exit 1")
    with pytest.raises(kind, match="could not be downloaded") as caught:
        made(base, tmp_path)
    assert words in caught.value.cause
    assert hint in caught.value.hint
    assert words in (tmp_path / "log").read_text()


def test_a_mirror_that_lacks_a_repository_is_not_chosen(
    host: Path, base: Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lacking = tmp_path / "mirror" / "6.10" / "updates" / "x86_64" / "repodata" / "repomd.xml"
    lacking.unlink()
    with pytest.raises(SourceUnreachable, match="are not available") as caught:
        made(base, tmp_path)
    assert str(lacking) in caught.value.cause
    assert f"set {vault.VARIABLE} to a mirror of the vault" in caught.value.hint
    monkeypatch.setenv(vault.VARIABLE, f"file://{tmp_path}/nowhere/")
    with pytest.raises(SourceUnreachable, match=r"nowhere/6\.10/os/x86_64"):
        made(base, tmp_path)
    with pytest.raises(SourceUnreachable) as caught:
        made(_set(base, snapshot=("file:///nothing",)), tmp_path)
    assert caught.value.hint == snapshot.OTHER


@pytest.mark.parametrize(
    ("told", "fault"),
    [
        ("    MD5 digest: OK (00)\n", "it has no signature"),
        (f"{GOOD}    Header V3 DSA/SHA1 Signature, key ID 12345678: NOKEY\n", "NOKEY"),
        ("    Header V4 RSA/SHA256 Signature, key ID 0badc0de: BAD\n", "BAD"),
        ("", "it has no signature"),
    ],
)
def test_nothing_is_unpacked_that_the_base_s_keys_did_not_sign(
    host: Path, base: Base, tmp_path: Path, told: str, fault: str
) -> None:
    program(host, "rpmkeys", CHECKSIG.format(imported="exit 0", told=told))
    program(host, "rpm2cpio", f"touch {tmp_path}/unpacked")
    with pytest.raises(VerificationError, match="2 of 2 RPMs of the base are not signed") as caught:
        made(base, tmp_path)
    assert fault in caught.value.cause
    assert not (tmp_path / "unpacked").exists()


def test_of_many_unsigned_rpms_a_few_are_named(host: Path, tmp_path: Path) -> None:
    program(host, "rpmkeys", CHECKSIG.format(imported="exit 0", told=""))
    many = [tmp_path / f"{number}.rpm" for number in range(130)]
    with pytest.raises(VerificationError, match="130 of 130") as caught:
        signed.require_signatures(many, ("a key",), tmp_path)
    assert caught.value.cause.endswith("and 127 more")
    program(host, "rpmkeys", "echo 'key 1 not an armored public key' >&2; exit 1")
    with pytest.raises(EnvironmentFailure, match="a key of the base cannot be read") as other:
        signed.require_signatures(many, ("no key",), tmp_path)
    assert "not an armored public key" in other.value.cause


@pytest.mark.parametrize("name", ["rpm2cpio", "cpio"])
def test_an_rpm_that_cannot_be_unpacked_is_named(
    host: Path, base: Base, tmp_path: Path, name: str
) -> None:
    program(host, name, "cat >/dev/null; echo 'premature end of archive' >&2; exit 2")
    with pytest.raises(BuildError, match=r"rpm-1-2\.x86_64\.rpm cannot be unpacked") as caught:
        made(base, tmp_path)
    assert caught.value.cause == "premature end of archive"


def test_an_installed_package_that_came_from_no_file_is_told(tmp_path: Path) -> None:
    one = rpm(tmp_path, "one")
    with pytest.raises(BuildError, match="two:noarch 1-1"):
        of_rpms(("one=1-2.x86_64", "two=1-1.noarch"), (one,))


DEBIAN = """\
for word; do case $word in *.partial) echo tar >"$word" ;; esac; done
cat >{sources}
{end}
"""
PACKAGES = """\
build='Package: a\\nArchitecture: all\\nVersion: 1\\n'
printf "${{build}}Status: install ok installed\\n" >$TMPDIR/status
printf "${{build}}SHA256: {digest}\\n" >$TMPDIR/available
"""


def debian(tmp_path: Path, end: str, *, patience: Patience | None = None) -> Bootstrapped:
    """A root of Debian packages, which ``end`` says what becomes of."""
    program(tmp_path / "bin", "mmdebstrap", DEBIAN.format(sources=tmp_path / "sources", end=end))
    base = load_base(ROOT / "dockerfiles" / "debian12", "systemd")
    entry = "deb https://snapshot.invalid/debian bookworm main"
    base = _set(base, snapshot=(entry,))
    console = Console(io.StringIO(), interactive=False)
    order = Order(base, "build", tmp_path / "out" / "root.tar", console, tmp_path / "log", _none)
    return bootstrap.bootstrap(replace(order, patience=patience or Patience()))


def _none() -> Engine:
    pytest.fail("no engine is needed")


@needs_root
def test_a_root_of_debian_packages_has_what_apt_verified(host: Path, tmp_path: Path) -> None:
    done = debian(tmp_path, PACKAGES.format(digest="1" * 64))
    assert [(one.name, one.version, one.sha256) for one in done.packages] == [("a", "1", "1" * 64)]
    assert "URIs: https://snapshot.invalid/debian" in (tmp_path / "sources").read_text()
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["root.tar"]


@needs_root
@pytest.mark.parametrize(
    ("words", "kind", "hint"),
    [
        ("E: write error - No space left on device", EnvironmentFailure, "free space"),
        ("W: GPG error: NO_PUBKEY 6ED0E7B82643E131", VerificationError, "apt-get update"),
        ("E: Failed to fetch https://x 404", SourceUnreachable, snapshot.OTHER),
        ("E: Unable to locate package frob", BuildError, "check the package lists of debian12"),
        ("it died", BuildError, "check the package lists"),
    ],
)
def test_a_bootstrap_that_fails_is_told_by_its_kind(
    host: Path, tmp_path: Path, words: str, kind: type[BuilderError], hint: str
) -> None:
    (tmp_path / "log").write_text("E: No space left on device, last week\n")
    with pytest.raises(kind, match="the build root of debian12 could not be made") as caught:
        debian(tmp_path, f"echo '{words}'; exit 25")
    assert caught.value.cause == words
    assert hint in caught.value.hint
    assert list((tmp_path / "out").iterdir()) == [], "nothing is left of it"


@needs_root
def test_a_mirror_that_never_ends_is_given_up(host: Path, tmp_path: Path) -> None:
    begun = time.monotonic()
    with pytest.raises(SourceUnreachable, match="did not end within 0 min"):
        debian(tmp_path, "exec sleep 60", patience=Patience(total=0))
    assert time.monotonic() - begun < 50
    assert list((tmp_path / "out").iterdir()) == []
