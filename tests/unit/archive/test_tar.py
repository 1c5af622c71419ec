"""Whatever a tar claims, it is read in bounded time and memory, or refused by name."""

from __future__ import annotations

import gzip
import lzma
import re
import struct
import subprocess
import zlib
from pathlib import Path

import pytest

from builder.archive.inner import unpack_inner
from builder.archive.links import Stray, check
from builder.archive.unpack import Limits, unpack
from builder.errors import VerificationError
from tests.support.archive import raw
from tests.support.archive.raw import END, NOW, extension, file, header, large, pax, record
from tests.support.archive.unpacking import QUIET, unpack_bytes

ROOT = Path(__file__).resolve().parents[3]
GOOD = file(b"x/good")


def _refused(folder: Path, data: bytes, limits: Limits | None = None) -> VerificationError:
    with pytest.raises(VerificationError) as failure:
        unpack_bytes(folder, data, limits)
    assert failure.value.exit_code == 4
    assert "t.tar" in failure.value.what
    assert not (folder / "out").exists()
    return failure.value


def _pax(key: bytes, value: bytes) -> bytes:
    return pax((key, value)) + file(b"x/a") + END


WRONG = {
    "size of letters": (_pax(b"size", b"abc"), "its size is 'abc'"),
    "size below zero": (_pax(b"size", b"-5"), "its size is '-5'"),
    "size without end": (_pax(b"size", b"9" * 4000), "its size is '999"),
    "size with a line": (_pax(b"size", b"1_0"), "its size is '1_0'"),
    "size of nothing": (_pax(b"size", b""), "its size is ''"),
    "time of letters": (_pax(b"mtime", b"noon"), "its mtime is 'noon'"),
    "time that is none": (_pax(b"mtime", b"nan"), "its mtime is 'nan'"),
    "time without end": (_pax(b"mtime", b"9" * 400), "its mtime is '999"),
    "empty path": (_pax(b"path", b""), "its path is ''"),
    "key twice": (pax((b"path", b"x/b"), (b"path", b"x/c")) + file(b"x/a") + END, "'path' is in"),
    "record too long": (extension(b"x", b"99 path=x/a\n") + GOOD, "a wrong length"),
    "record too short": (extension(b"x", b"5 path=x/a\n") + GOOD, "a wrong length"),
    "record of length zero": (extension(b"x", b"0 path=x/a\n") + GOOD, "a wrong length"),
    "record below zero": (extension(b"x", b"-12 path=x\n") + GOOD, "a wrong length"),
    "record without an end": (extension(b"x", b"10 path=x/") + GOOD, "a wrong length"),
    "record without sign": (extension(b"x", b"7 path\n") + GOOD, "without a value"),
    "digits only": (extension(b"x", b"1" * (1 << 20)) + GOOD, "a wrong length"),
    "chain": (pax((b"comment", b"c")) * 5000 + GOOD + END, "a second extended header"),
    "chain of names": (extension(b"L", b"x/n\0") * 5000 + GOOD + END, "a second long name"),
    "chain of links": (extension(b"K", b"x/n\0") * 5000 + GOOD + END, "a second long link"),
    "chain of globals": (pax((b"comment", b"c"), kind=b"g") * 5000 + END, "a second global"),
    "chain without end": (pax((b"comment", b"c")) + extension(b"L", b"x/n\0"), "truncated"),
    "header before the end": (GOOD + pax((b"path", b"x/b")) + END, "before the member"),
    "header cut": (pax((b"comment", b"c" * 2000))[:900], "truncated inside a header"),
    "empty header": (extension(b"x", b"") + GOOD + END, "a header of 0 bytes"),
    "header below zero": (header(b"p", kind=b"x", size=large(-512)) + GOOD, "a header of -512"),
    "path for all": (pax((b"path", b"x/b"), kind=b"g") + GOOD + END, "global header with 'path'"),
    "negative": (GOOD + header(b"x/a", size=large(-512)) + END, "member 'x/a': its size is -512"),
    "negative octal": (header(b"x/a", size=b"-0000000777\0") + END, "its size is '-0"),
    "a line in octal": (header(b"x/a", size=b"0_000000777\0") + END, "its size is '0_"),
    "no octal": (header(b"x/a", size=b"00000000789\0") + END, "its size is '00000000789"),
    "beyond all": (header(b"x/a", size=b"\x80" + b"\xff" * 11) + END, "size is out of range"),
    "another mark": (header(b"x/a", size=b"\xc0" + b"\0" * 11) + END, "size is out of range"),
    "another format": (header(b"x/a", magic=b"uslar\x0000") + END, "a format that is not a tar's"),
    "folder with data": (
        header(b"x/d/", kind=b"5", size=9) + END,
        "member 'x/d/': it is a link or",
    ),
    "link with data": (header(b"x/l", kind=b"2", link=b"a", size=9), "member 'x/l': it is a link"),
    "deep": (pax((b"path", b"d/" * 1000 + b"f")) + file(b"x/a") + END, "in more than 128 folders"),
    "deeper": (pax((b"path", b"d/" * 1500 + b"f")) + file(b"x/a") + END, "too long"),
    "old sparse": (header(b"x/s", kind=b"S") + END, "member 'x/s': it is of a kind"),
    "sparse": (_pax(b"GNU.sparse.map", b"1,a,,-7"), "member 'x/a': its extended header has 'GNU."),
    "unknown": (_pax(b"ACME.meaning", b"x"), "member 'x/a': its extended header has 'ACME.m"),
    "another archive": (GOOD + END + GOOD + END, "continues after its end, which is at byte 1536"),
    "garbage": (GOOD + END + b"\0" * 9000 + b"x", "continues after its end"),
    "padding": (GOOD + END + bytes(3 << 20), "bytes of padding are after"),
    "huge": (header(b"x/a", size=large(1 << 62)) + END, "bytes come out"),
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_refused_at_once(tmp_path: Path, case: str) -> None:
    data, reason = WRONG[case]
    assert reason in _refused(tmp_path, data).cause


def test_damage_is_placed(tmp_path: Path) -> None:
    assert "(after member 'x/good')" in _refused(tmp_path, GOOD + b"damage").cause


@pytest.mark.timeout(60)
def test_an_archive_of_a_kilobyte_does_not_take_minutes(tmp_path: Path) -> None:
    """CVE-2024-6232: digits without end before a record."""
    data = gzip.compress(extension(b"x", b"1" * (1 << 20)) + GOOD + END)
    assert len(data) < 2000
    assert "a wrong length" in _refused(tmp_path, data).cause


@pytest.mark.timeout(60)
def test_a_bomb_behind_the_end_is_not_eaten(tmp_path: Path) -> None:
    bomb = zlib.compressobj(1, zlib.DEFLATED, 31)
    data = bomb.compress(GOOD + END)
    data += bomb.compress(bytes(1 << 23)) + bomb.flush()
    assert "padding" in _refused(tmp_path, data).cause


def test_the_limit_on_bytes_is_exact(tmp_path: Path) -> None:
    data = pax((b"comment", b"c" * 3000)) + file(b"x/a", b"a" * 700) + GOOD + END
    assert unpack_bytes(tmp_path, data, Limits(bytes=len(data))).bytes == 704
    (tmp_path / "again").mkdir()
    short = _refused(tmp_path / "again", data, Limits(bytes=len(data) - 1))
    assert f"more than {len(data) - 1} bytes come out" in short.cause


def test_folders_that_are_no_members_are_counted(tmp_path: Path) -> None:
    data = b"".join(file(b"x/%d/a/b/c/f" % number) for number in range(4)) + END
    assert unpack_bytes(tmp_path, data, Limits(files=20)).files == 4
    (tmp_path / "again").mkdir()
    failure = _refused(tmp_path / "again", data, Limits(files=19))
    assert failure.cause == "member 'x/3/a/b/c/f': more than 19 members and their folders"


def test_names_are_bounded_together(tmp_path: Path) -> None:
    data = b"".join(file(b"x/%090d" % number) for number in range(4)) + END
    assert "bytes of names" in _refused(tmp_path, data, Limits(names=300)).cause


CONTROL = b"x/\x1b]0;evil\x07\n\xe2\x80\xae"
SHOUTING = {
    "name": header(CONTROL, kind=b"3") + END,
    "goal": header(b"x/a", kind=b"2", link=b"/" + CONTROL) + END,
    "hard link": header(b"x/a", kind=b"1", link=CONTROL) + END,
    "cut": header(CONTROL, size=9),
    "folder": file(CONTROL) + file(CONTROL + b"/f") + END,
    "key": pax((CONTROL, b"a")) + GOOD + END,
    "value": _pax(b"size", CONTROL),
    "number": header(b"x/a", size=b"\x1b[31m") + END,
    "format": header(b"x/a", magic=b"\x1b[31m\x07\n\n") + END,
    "damage after it": file(CONTROL) + header(b"x/a", size=b"x") + END,
}


@pytest.mark.parametrize("case", SHOUTING)
def test_no_name_reaches_the_terminal_as_it_is(tmp_path: Path, case: str) -> None:
    failure = _refused(tmp_path, SHOUTING[case])
    assert f"{failure.what}{failure.cause}{failure.hint}".isprintable()


def test_what_an_archive_has_instead_is_told_without_control_characters(tmp_path: Path) -> None:
    (tmp_path / "t.tar").write_bytes(file(CONTROL + b"/f") + file(b"x/plain/f") + END)
    with pytest.raises(VerificationError) as failure:
        unpack(tmp_path / "t.tar", tmp_path / "out", console=QUIET, only="x/y")
    assert failure.value.cause.isprintable()
    assert "x/plain" in failure.value.cause


def test_what_a_tree_has_instead_is_told_without_control_characters(tmp_path: Path) -> None:
    unpack_bytes(tmp_path, file(CONTROL) + END)
    with pytest.raises(VerificationError) as failure:
        unpack_inner(tmp_path / "out", ["no.tar"], tmp_path / "in", source="x", console=QUIET)
    assert failure.value.cause.isprintable()


def _git(folder: Path) -> bytes:
    """What git archive writes: a global header before all members."""
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@example.org", "-C", str(folder)]
    (folder / "a").write_text("data")
    for words in (["init", "-q"], ["add", "a"], ["commit", "-qm", "x"]):
        subprocess.run([*git, *words], check=True)
    words = [*git, "archive", "--prefix=x/", "HEAD"]
    return subprocess.run(words, check=True, capture_output=True).stdout


def test_what_git_archive_writes_is_read(tmp_path: Path) -> None:
    (tmp_path / "repo").mkdir()
    data = _git(tmp_path / "repo")
    assert b"comment=" in data
    assert unpack_bytes(tmp_path, data).files == 1
    assert (tmp_path / "out/a").read_text() == "data"


RIGHT = {
    "plain": file(b"x/a"),
    "old": file(b"x/a", magic=raw.OLD),
    "gnu": file(b"x/a", magic=raw.GNU),
    "zero flag": file(b"x/a", kind=b"\0"),
    "prefix": file(b"a", prefix=b"x"),
    "large size": file(b"x/a", size=large(4)),
    "blanks": file(b"x/a", size=b"         4 \0"),
    "pax name": pax((b"path", b"x/a")) + file(b"y/b"),
    "gnu name": extension(b"L", b"x/a\0") + file(b"y/b", magic=raw.GNU),
    "pax before gnu": extension(b"L", b"x/n\0") + pax((b"path", b"x/a")) + file(b"y/b"),
    "pax size": pax((b"size", b"4")) + header(b"x/a") + raw.padded(b"data"),
    "fraction": pax((b"mtime", b"%d.123456789" % NOW)) + file(b"x/a", mtime=0),
    "time for all": pax((b"mtime", b"%d" % NOW), kind=b"g") + file(b"x/a", mtime=0),
    "ignored": pax((b"atime", b"1.5"), (b"SCHILY.xattr.user.x", b"a\n=\0b")) + file(b"x/a"),
    "attributes": pax((b"LIBARCHIVE.xattr.a", b"YQ"), (b"comment", b"c" * 9000)) + file(b"x/a"),
    "attribute of its length": extension(b"x", record(b"comment", b"c" * 90)) + file(b"x/a"),
}


@pytest.mark.parametrize("case", RIGHT)
@pytest.mark.parametrize("end", [END, bytes(512), bytes(1 << 20)])
def test_what_tars_of_sources_have_is_read(tmp_path: Path, case: str, end: bytes) -> None:
    assert unpack_bytes(tmp_path, RIGHT[case] + end).bytes == 4
    assert (tmp_path / "out/a").read_bytes() == b"data"
    assert (tmp_path / "out/a").stat().st_mtime == NOW


@pytest.mark.parametrize(
    "member",
    [
        file(b"x/a", mtime=large(1 << 62)),
        file(b"x/a", mtime=large(-(1 << 62))),
        pax((b"mtime", b"9" * 19)) + file(b"x/a"),
        pax((b"mtime", b"-" + b"9" * 19 + b".5")) + file(b"x/a"),
        pax((b"mtime", b"9" * 19)) + header(b"x/a", kind=b"5"),
        pax((b"mtime", b"-1")) + header(b"x/a", kind=b"2", link=b"b"),
    ],
)
def test_times_out_of_range_are_cut(tmp_path: Path, member: bytes) -> None:
    unpack_bytes(tmp_path, member + END)
    assert 0 <= (tmp_path / "out/a").lstat().st_mtime < 1 << 40


def test_folders_told_by_a_slash_are_judged_by_their_whole_name(tmp_path: Path) -> None:
    data = file(b"x/d/", b"", kind=b"\0") + extension(b"L", b"x/d/file\0") + file(b"x/d/")
    unpack_bytes(tmp_path, data + END)
    assert (tmp_path / "out/d/file").read_bytes() == b"data"


def test_a_target_with_a_long_path_is_told(tmp_path: Path) -> None:
    deep = tmp_path
    for _ in range(11):
        deep /= "d" * 200
        deep.mkdir()
    name = b"/".join([b"n" * 250] * 8)
    data = pax((b"path", b"x/" + name)) + file(b"x/a") + END
    assert "its name is too long below" in _refused(deep, data).cause


def test_links_that_lead_through_many_others_are_bounded() -> None:
    links = {b"%d" % number: b"/".join([b"."] * 900) for number in range(2000)}
    with pytest.raises(Stray, match="the links together"):
        check(links, 128)


GREEDY = {
    "xz": raw.xz_with_a_large_dictionary(GOOD + END),
    "lzma": b"\x5d\0\0\0\x80" + lzma.compress(GOOD + END, lzma.FORMAT_ALONE)[5:],
    # RFC 8878, 3.1.1: a frame with a window of 2 GiB, and one raw block
    "zstd": b"\x28\xb5\x2f\xfd\0\xa8" + struct.pack("<I", len(GOOD) << 3 | 1)[:3] + GOOD,
}


@pytest.mark.parametrize("case", GREEDY)
def test_a_decompressor_that_needs_gigabytes_is_stopped(tmp_path: Path, case: str) -> None:
    cause = _refused(tmp_path, GREEDY[case]).cause
    assert "emory" in cause
    assert "not a whole archive" not in cause


def test_nothing_of_the_builder_reads_headers_with_libraries_that_trust_them() -> None:
    trusting = re.compile(r"^\s*(?:import|from) (?:tarfile|rpmfile|zipfile)\b", re.MULTILINE)
    found = {path for path in (ROOT / "builder").rglob("*.py") if trusting.search(path.read_text())}
    writes = ROOT / "builder/remote/pack.py"
    brought = ROOT / "builder/setup/bundled.py"  # Python's own wheel, before there is a library
    assert found == {writes, brought}
    assert re.findall(r'mode="(.*?)"', writes.read_text()) == ["w|"]
