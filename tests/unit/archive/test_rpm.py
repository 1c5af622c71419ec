"""A source RPM unpacks flat; a hostile cpio in it is refused by the rules for tars."""

from __future__ import annotations

import io
import lzma
import shutil
import stat
import struct
import tracemalloc
from pathlib import Path

import pytest

from builder.archive import rpm
from builder.archive.unpack import Limits, unpack
from builder.console import Console
from builder.errors import VerificationError
from tests.support.archive.cpios import NOW, TRAILER, Member
from tests.support.source import rpms

pytestmark = pytest.mark.skipif(
    shutil.which("rpmbuild") is None, reason="this host has no rpmbuild to make packages with"
)
QUIET = Console(stream=io.StringIO(), interactive=False)


@pytest.fixture(scope="module")
def header(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return rpms.parts(rpms.build(tmp_path_factory.mktemp("header")))[0]


def _rpm(folder: Path, header: bytes, payload: bytes) -> Path:
    return rpms.write(folder / "x.src.rpm", {}, header, payload)


@pytest.mark.parametrize("flags", ["w6.gzdio", "w6.bzdio", "w6.xzdio", "w6.lzdio", "w3.zstdio"])
def test_spec_and_sources_come_out_side_by_side(tmp_path: Path, flags: str) -> None:
    archive = rpms.build(tmp_path / "made", payload=flags)
    done = unpack(archive, tmp_path / "out", console=QUIET)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "kernel.spec",
        "linux.tar",
    ]
    for path in (tmp_path / "out").iterdir():
        assert path.read_bytes() == (tmp_path / "made" / path.name).read_bytes()
        assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert done.files == 2


def test_names_with_a_dot_before_them_and_folders_are_as_in_a_tar(
    tmp_path: Path, header: bytes
) -> None:
    members = (
        Member("./d", b"", stat.S_IFDIR | 0o777),
        Member("./d/a"),
        Member("./d/l", b"a", stat.S_IFLNK | 0o777),
    )
    payload = b"".join(one.encode() for one in members) + TRAILER + bytes(300)
    unpack(_rpm(tmp_path, header, payload), tmp_path / "out", console=QUIET)
    assert (tmp_path / "out/d/l").read_bytes() == b"data"
    assert (tmp_path / "out/d/a").stat().st_mtime == NOW


HOSTILE = {
    "dotdot": (Member("../evil"), '".." in it'),
    "absolute": (Member("/etc/evil"), "absolute"),
    "link out": (Member("a", b"../evil", stat.S_IFLNK), "out of the tree"),
    "absolute link": (Member("a", b"/etc/passwd", stat.S_IFLNK), "out of the tree"),
    "character device": (Member("null", b"", stat.S_IFCHR), "a device node"),
    "block device": (Member("sda", b"", stat.S_IFBLK), "a device node"),
    "pipe": (Member("pipe", b"", stat.S_IFIFO), "a named pipe"),
    "socket": (Member("socket", b"", stat.S_IFSOCK), "of a kind"),
    "hard link": (Member("a", links=2), "of a kind"),
    "folder with data": (Member("a", mode=stat.S_IFDIR), "a folder, but has 4 bytes"),
    "deep": (Member("d/" * 1000 + "f"), "in more than 128 folders"),
    "deeper": (Member("d/" * 1500 + "f"), "too long"),
    "control characters": (Member("a\x1b[31m", mode=stat.S_IFIFO), "a named pipe"),
    "bomb": (Member("a", size=1 << 31), "bytes come out"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_member_is_refused_by_name(tmp_path: Path, header: bytes, case: str) -> None:
    member, reason = HOSTILE[case]
    inside = tmp_path / "a/b"
    inside.mkdir(parents=True)
    archive = _rpm(inside, header, Member("good").encode() + member.encode() + TRAILER)
    with pytest.raises(VerificationError) as failure:
        unpack(archive, inside / "out", console=QUIET, limits=Limits(bytes=1 << 30))
    assert failure.value.cause.startswith(f"member {member.name[:300]!r}: ")
    assert failure.value.cause.isprintable()
    assert reason in failure.value.cause
    assert not (inside / "out").exists()
    assert not list(tmp_path.rglob("evil"))


def test_writing_through_a_link_is_refused(tmp_path: Path, header: bytes) -> None:
    link = Member("a", b".", stat.S_IFLNK).encode()
    archive = _rpm(tmp_path, header, link + Member("a/evil").encode() + TRAILER)
    with pytest.raises(VerificationError, match="is not a folder"):
        unpack(archive, tmp_path / "out", console=QUIET)


GOOD = Member("a").encode()
DAMAGED = {
    "no trailer": (GOOD, "truncated"),
    "cut in a header": (GOOD[:60], "truncated"),
    "cut in a name": (GOOD[:111], "truncated inside a name (at its beginning)"),
    "cut in the data": (Member("a", size=4000).encode(), "truncated inside member 'a'"),
    "another magic": (b"070707" + GOOD[6:] + TRAILER, "no header of a member at byte 0"),
    "stripped": (b"07070X" + bytes(120), "no header of a member"),
    "no digits": (GOOD[:54] + b"-0000001" + GOOD[62:] + TRAILER, "no header of a member"),
    "a long name": (GOOD[:94] + b"7fffffff" + GOOD[102:] + TRAILER, "a name of 2147483647 bytes"),
    "no name": (GOOD[:94] + b"00000000" + GOOD[102:] + TRAILER, "a name of 0 bytes"),
    "a long link": (Member("a", b"", stat.S_IFLNK, size=1 << 20).encode(), "a link of 1048576"),
    "another archive": (GOOD + TRAILER + GOOD + TRAILER, "continues after its end"),
    "endless padding": (GOOD + TRAILER + bytes(3 << 20), "bytes of padding"),
    "a link cut": (Member("a", b"", stat.S_IFLNK, size=90).encode(), "truncated inside a link"),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_archive_is_told_and_cleared(tmp_path: Path, header: bytes, case: str) -> None:
    payload, reason = DAMAGED[case]
    with pytest.raises(VerificationError) as failure:
        unpack(_rpm(tmp_path, header, payload), tmp_path / "out", console=QUIET)
    assert "is damaged" in failure.value.what
    assert reason in failure.value.cause
    assert not (tmp_path / "out").exists()


def test_a_damaged_payload_is_told_in_the_decompressors_words(
    tmp_path: Path, header: bytes
) -> None:
    packed = bytearray(lzma.compress(GOOD + TRAILER))
    packed[len(packed) // 2] ^= 0xFF
    with pytest.raises(VerificationError, match="xz: "):
        unpack(_rpm(tmp_path, header, bytes(packed)), tmp_path / "out", console=QUIET)


def test_memory_for_a_header_is_not_taken_before_it_is_there(tmp_path: Path, header: bytes) -> None:
    archive = _rpm(tmp_path, header, GOOD + TRAILER)
    data = archive.read_bytes()
    archive.write_bytes(data[:104] + struct.pack(">II", 1 << 16, 64 << 20) + data[112:])
    tracemalloc.start()
    with pytest.raises(VerificationError, match="truncated inside its signature header"):
        rpm.read(archive)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20


def test_lengths_that_a_header_claims_are_not_believed(tmp_path: Path, header: bytes) -> None:
    archive = _rpm(tmp_path, header, GOOD + TRAILER)
    data = archive.read_bytes()
    spoilt = data[:104] + struct.pack(">II", 1 << 30, 1 << 31) + data[112:]
    archive.write_bytes(spoilt)
    with pytest.raises(VerificationError, match="claims 1073741824 entries"):
        unpack(archive, tmp_path / "out", console=QUIET)
    assert not (tmp_path / "out").exists()
