"""A source archive comes out as tar would unpack it, or, if it is hostile, not at all."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from builder.archive.stream import CHUNK
from builder.archive.unpack import Limits, Unpacked, unpack
from builder.console import Console
from builder.errors import UsageError, VerificationError
from builder.host.listing import read

ROOT = Path(__file__).resolve().parents[3]
NOW = 1_700_000_000
Maker = Callable[[tarfile.TarFile], None]
QUIET = Console(stream=io.StringIO(), interactive=False)


def _entry(
    name: str, kind: bytes = tarfile.REGTYPE, link: str = "", size: int = 0, mode: int = 0o644
) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname, entry.size, entry.mode, entry.mtime = kind, link, size, mode, NOW
    return entry


def _tar(path: Path, *entries: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:
        for entry, data in entries:
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return path


def _file(name: str, data: bytes = b"data", mode: int = 0o644) -> tuple[tarfile.TarInfo, bytes]:
    return _entry(name, mode=mode), data


def _link(name: str, goal: str) -> tuple[tarfile.TarInfo, bytes]:
    return _entry(name, tarfile.SYMTYPE, goal), b""


def _hard(name: str, goal: str) -> tuple[tarfile.TarInfo, bytes]:
    return _entry(name, tarfile.LNKTYPE, goal), b""


def _folder(name: str) -> tuple[tarfile.TarInfo, bytes]:
    return _entry(name, tarfile.DIRTYPE, mode=0o777), b""


def _unpack(archive: Path, strip: int = 1, limits: Limits | None = None) -> Unpacked:
    target = archive.parent / "out"
    made = unpack(archive, target, console=QUIET, strip=strip, limits=limits or Limits())
    assert made.listing.difference(read(target)) == "", "it lists what it has written"
    assert made.listing.digest == read(target).digest
    return made


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A small tree that has everything a source tree may have."""
    top = tmp_path / "top-1.0"
    (top / "deep" / ("d" * 120) / ("e" * 120)).mkdir(parents=True)
    (top / "plain").write_bytes(os.urandom(7) + bytes(CHUNK))
    (top / "empty").touch()
    (top / "deep/tool").write_text("#!/bin/sh\n")
    (top / "deep/tool").chmod(0o4775)
    (top / "deep" / ("d" * 120) / ("e" * 120) / ("f" * 200)).write_text("far")
    (top / "deep/up").symlink_to("../plain")
    (top / "loose").symlink_to("not/there")
    os.link(top / "plain", top / "twin")
    for path in (top / "plain", top / "deep"):
        os.utime(path, (NOW, NOW))
    return top


@pytest.mark.parametrize(
    ("option", "name"),
    [
        ("--xz", "t.tar.xz"),
        ("--gzip", "t.tar.gz"),
        ("--bzip2", "t.tar.bz2"),
        ("--zstd", "t.tar.zst"),
        ("--format=gnu", "t.tar"),
        ("--format=pax", "t.tar"),
        ("--format=oldgnu", "named-wrongly.tar.xz"),
    ],
)
def test_a_tree_comes_out_as_it_went_in(tree: Path, option: str, name: str) -> None:
    archive = tree.parent / name
    subprocess.run(["tar", option, "-cf", archive, "-C", tree.parent, tree.name], check=True)
    done = _unpack(archive)
    out = tree.parent / "out"
    assert (
        subprocess.run(["diff", "-r", "--no-dereference", tree, out], check=False).returncode == 0
    )
    assert done.files == 7
    assert (out / "plain").stat().st_mtime == NOW
    assert (out / "deep").stat().st_mtime == NOW
    assert (out / "deep/tool").stat().st_mode & 0o7777 == 0o755
    assert (out / "plain").stat().st_mode & 0o7777 == 0o644
    assert (out / "twin").samefile(out / "plain")


def test_strip_counts_as_tar_does(tmp_path: Path) -> None:
    archive = _tar(tmp_path / "t.tar", _file("./a/b"), _file("top"), _folder("./a/c/"))
    assert _unpack(archive, strip=2).files == 1
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["b", "c"]


def test_times_are_neither_in_the_future_nor_before_1970(tmp_path: Path) -> None:
    future, past = _entry("x/future"), _entry("x/past")
    future.mtime, past.mtime = NOW * 3, -5
    _unpack(_tar(tmp_path / "t.tar", (future, b""), (past, b"")))
    assert (tmp_path / "out/future").stat().st_mtime <= time.time()
    assert (tmp_path / "out/past").stat().st_mtime == 0


def test_the_last_of_two_members_wins_without_writing_through(tmp_path: Path) -> None:
    archive = _tar(
        tmp_path / "t.tar",
        _file("x/a", b"one"),
        _hard("x/b", "x/a"),
        _link("x/c", "a"),
        _file("x/b", b"two"),
        _file("x/c", b"three"),
        _link("x/d", "a"),
        _link("x/d", "b"),
        _hard("x/d", "x/a"),
        _hard("x/a", "x/a"),
        _folder("x/e"),
        _folder("x/e"),
    )
    assert _unpack(archive).files == 4
    out = tmp_path / "out"
    assert [(out / name).read_bytes() for name in "abcd"] == [b"one", b"two", b"three", b"one"]


HOSTILE = {
    "dotdot": ([_file("x/../../evil")], '".." in it'),
    "absolute": ([_file("/etc/evil")], "absolute"),
    "long part": ([_file("x/" + "y" * 256)], "longer than 255 bytes"),
    "long name": ([_file("x/" + "y/" * 2100 + "z")], "too long"),
    "absolute link": ([_link("x/a", "/etc/passwd")], "out of the tree"),
    "link out": ([_link("x/a", "../../evil")], "links out of the tree"),
    "link out of the top": ([_link("x/a", "../y")], "links out of the tree"),
    "links that add up": (
        [_folder("x/d/e/f"), _link("x/d/e/f/up", "../../.."), _link("x/a", "d/e/f/up/../evil")],
        "links out of the tree",
    ),
    "link loop": ([_link("x/a", "b"), _link("x/b", "a")], "links to itself"),
    "empty link": ([_link("x/a", "")], "no usable name"),
    "through a link": ([_link("x/a", "."), _file("x/a/evil")], "is not a folder"),
    "through a dead link": ([_link("x/a", "../../evil"), _file("x/a/b")], "is not a folder"),
    "hard link out": ([_hard("x/a", "/etc/passwd")], "absolute"),
    "hard link up": ([_hard("x/a", "x/../../etc/passwd")], '".." in it'),
    "hard link to nothing": ([_hard("x/a", "x/b")], "no file of this archive"),
    "hard link to a link": ([_link("x/a", "b"), _hard("x/c", "x/a")], "no file of this archive"),
    "hard link by a link": (
        [_folder("x/d"), _file("x/d/f"), _link("x/l", "d"), _hard("x/c", "x/l/f")],
        "no file of this archive",
    ),
    "character device": ([(_entry("x/null", tarfile.CHRTYPE), b"")], "a device node"),
    "block device": ([(_entry("x/sda", tarfile.BLKTYPE), b"")], "a device node"),
    "pipe": ([(_entry("x/pipe", tarfile.FIFOTYPE), b"")], "a named pipe"),
    "volume header": ([(_entry("x/v", b"V"), b"")], "of a kind"),
    "file to folder": ([_file("x/a"), _file("x/a/b")], "is not a folder"),
    "folder to file": ([_folder("x/a"), _file("x/a")], "a folder of that name"),
    "folder to link": ([_folder("x/a"), _link("x/a", "b")], "a folder of that name"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_member_is_refused_by_name(tmp_path: Path, case: str) -> None:
    entries, reason = HOSTILE[case]
    inside = tmp_path / "a/b"
    inside.mkdir(parents=True)
    with pytest.raises(VerificationError) as failure:
        _unpack(_tar(inside / "t.tar", *entries))
    assert failure.value.exit_code == 4
    assert reason in failure.value.cause
    assert failure.value.cause.startswith("member '")
    assert not (inside / "out").exists()
    assert not list(tmp_path.rglob("evil"))


def test_a_name_with_nul_is_refused(tmp_path: Path) -> None:
    entry, data = _file("x/a")
    entry.pax_headers = {"path": "x/a\0b"}
    with pytest.raises(VerificationError, match="has a NUL"):
        _unpack(_tar(tmp_path / "t.tar", (entry, data)))


@pytest.mark.parametrize(
    ("limits", "reason"),
    [(Limits(files=2), "more than 2 members"), (Limits(bytes=10), "more than 10 bytes")],
)
def test_a_bomb_is_refused(tmp_path: Path, limits: Limits, reason: str) -> None:
    archive = _tar(tmp_path / "t.tar", *(_file(f"x/{number}") for number in range(9)))
    with pytest.raises(VerificationError, match=reason):
        _unpack(archive, limits=limits)


def test_zeros_without_end_are_refused(tmp_path: Path) -> None:
    archive = _tar(tmp_path / "t.tar", _file("x/a"))
    with archive.open("ab") as file:
        file.truncate(12 * CHUNK)
    subprocess.run(["gzip", "-1", archive], check=True)
    with pytest.raises(VerificationError, match="bytes come out of it"):
        _unpack(tmp_path / "t.tar.gz", limits=Limits(files=5, bytes=CHUNK))


def test_a_gigantic_header_is_not_loaded(tmp_path: Path) -> None:
    entry = tarfile.TarInfo("././@PaxHeader")
    entry.type, entry.size = tarfile.XHDTYPE, 3 << 30
    (tmp_path / "t.tar").write_bytes(entry.tobuf() + b"\0" * 10240)
    with pytest.raises(VerificationError, match="a header of"):
        _unpack(tmp_path / "t.tar")


def test_a_sparse_member_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    with (tmp_path / "x/sparse").open("wb") as file:
        file.truncate(CHUNK)
    subprocess.run(["tar", "-S", "--format=gnu", "-cf", "t.tar", "x"], cwd=tmp_path, check=True)
    with pytest.raises(VerificationError, match="of a kind"):
        _unpack(tmp_path / "t.tar")


WORDS = {"xz": "xz: ", "gzip": "gzip: ", "bzip2": "bzip2: ", "zstd": "error ("}


@pytest.mark.parametrize("tool", WORDS)
@pytest.mark.parametrize("harm", ["cut", "flip"])
def test_a_damaged_archive_is_told_in_the_decompressors_words(
    tmp_path: Path, tool: str, harm: str
) -> None:
    # The harm is behind the first chunks that come out, which compress to nearly nothing.
    plain = _tar(tmp_path / "t.tar", _file("x/a", bytes(2 * CHUNK) + os.urandom(CHUNK // 4)))
    packed = tmp_path / f"t.{tool}"
    with packed.open("wb") as out:
        subprocess.run([tool, "-1", "-c", plain], stdout=out, check=True)
    data = bytearray(packed.read_bytes())
    if harm == "cut":
        del data[len(data) // 2 :]
    else:
        data[-6] ^= 0xFF
        data[len(data) // 2] ^= 0xFF
    packed.write_bytes(data)
    with pytest.raises(VerificationError) as failure:
        _unpack(packed)
    assert f"t.{tool} is damaged" in failure.value.what
    assert WORDS[tool] in failure.value.cause
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("length", [512, 700, 1024, 5000])
def test_a_cut_plain_tar_is_told(tmp_path: Path, length: int) -> None:
    archive = _tar(tmp_path / "t.tar", _file("x/a", b"d" * 400), _file("x/b", b"e" * 9000))
    archive.write_bytes(archive.read_bytes()[:length])
    with pytest.raises(VerificationError, match="damaged"):
        _unpack(archive)


def test_a_damaged_header_is_not_the_end(tmp_path: Path) -> None:
    archive = _tar(tmp_path / "t.tar", _file("x/a"), _file("x/b"))
    data = bytearray(archive.read_bytes())
    data[1024 + 10] ^= 0xFF
    archive.write_bytes(data)
    with pytest.raises(VerificationError, match="damaged header"):
        _unpack(archive)


@pytest.mark.parametrize("data", [b"", b"<html>not found</html>" * 99, b"\0" * 10240])
def test_what_is_no_archive_is_told(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "t.tar").write_bytes(data)
    with pytest.raises(VerificationError, match=r"t\.tar is (damaged|empty)"):
        _unpack(tmp_path / "t.tar")


def test_only_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine").touch()
    with pytest.raises(UsageError, match="is not empty"):
        _unpack(_tar(tmp_path / "t.tar", _file("x/a")))
    assert (tmp_path / "out/mine").exists()


UNPACK = """
import sys
from pathlib import Path
from builder.archive.unpack import unpack
from builder.console import Console
unpack(Path(sys.argv[1]), Path(sys.argv[2]), console=Console(interactive=False))
print(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])
"""


def test_memory_does_not_grow_with_the_archive(tmp_path: Path) -> None:
    entries = [_file(f"x/{number // 100}/{number}") for number in range(5000)]
    archive = _tar(tmp_path / "t.tar", _file("x/large", bytes(64 * CHUNK)), *entries)
    ended = subprocess.run(
        [sys.executable, "-c", UNPACK, archive, tmp_path / "out"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    assert int(ended.stdout) < 60_000  # KiB


def test_a_full_disk_is_told_and_cleared(tmp_path: Path) -> None:
    archive = _tar(tmp_path / "t.tar", _file("x/a", bytes(CHUNK)), _file("x/b", bytes(CHUNK)))
    (tmp_path / "small").mkdir()
    script = (
        'mount -t tmpfs -o size=1500k none "$1"; "$2" -c "$3" "$4" "$1/out"; ls -A "$1" | wc -l'
    )
    space = ["unshare", "--mount"]
    if os.geteuid() != 0:
        space += ["--user", "--map-root-user"]
    words: list[str | Path] = ["sh", "-c", script, "sh", tmp_path / "small"]
    words += [sys.executable, UNPACK, archive]
    ended = subprocess.run([*space, *words], capture_output=True, text=True, check=False, cwd=ROOT)
    assert "EnvironmentFailure" in ended.stderr
    assert f"no space left in {tmp_path}/small/out" in ended.stderr
    assert "bytes more are needed" in ended.stderr
    assert ended.stdout.strip() == "0"
