"""Spoils archives and unpacks them: ``python -m tests.support.archive.fuzz FOLDER SEED COUNT``.

Runs as a process of its own, because its memory is limited.  Ends with status 0 and what came
of the archives, or 1 and the number, kind and digest of the first one that did harm: kept as
``FOLDER/harm``.
"""

from __future__ import annotations

import gzip
import io
import random
import resource
import shutil
import signal
import stat
import struct
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from builder.archive import rpm
from builder.archive.unpack import Limits, unpack
from builder.console import Console
from builder.errors import VerificationError
from tests.support.archive import cpios, raw

MEMORY = 512 << 20  # bytes of address space
SECONDS = 5.0  # for one archive
LIMITS = Limits(files=200, bytes=1 << 20, names=1 << 16)
QUIET = Console(stream=io.StringIO(), interactive=False)
WRONG = (b"\xff" * 12, b"\x80" + b"\xff" * 11, b"7" * 12, b"-1", b"../x", b"/", b"x\0y", b"SxLgK")
PACKED = 20  # every so many archives one is compressed, which takes a process
Spoiler = Callable[[random.Random, bytearray], None]


def _tar() -> bytes:
    return b"".join(
        (
            raw.pax((b"comment", b"c" * 40), kind=b"g"),
            raw.header(b"x/", kind=b"5"),
            raw.file(b"x/a", b"a" * 700),
            raw.pax((b"path", b"x/d/long"), (b"mtime", b"1700000000.25"), (b"size", b"30")),
            raw.header(b"x/short") + raw.padded(b"d" * 30),
            raw.extension(b"L", b"x/d/" + b"n" * 120 + b"\0"),
            raw.file(b"x/d/cut", b"e", magic=raw.GNU, size=raw.large(1)),
            raw.extension(b"K", b"d/long\0"),
            raw.header(b"x/l", kind=b"2", link=b"d", magic=raw.GNU),
            raw.header(b"x/h", kind=b"1", link=b"x/a"),
            raw.file(b"x/a", b"again"),
            raw.END,
        )
    )


def _rpm(payload: bytes) -> bytes:
    strings = [(1000, 6, b"x\0"), (1001, 6, b"1\0"), (1002, 6, b"1\0"), (1049, 8, b"a\0b\0")]
    index, data = b"", b""
    for tag, kind, text in strings:
        index += struct.pack(">IIII", tag, kind, len(data), text.count(b"\0"))
        data += text
    head = b"\x8e\xad\xe8\1\0\0\0\0" + struct.pack(">II", len(strings), len(data)) + index + data
    lead = rpm.MAGIC + b"\3\0" + bytes(90)
    return lead + head + bytes(-len(head) % 8) + head + payload


def _cpio() -> bytes:
    members = (
        cpios.Member("./d", b"", stat.S_IFDIR | 0o755),
        cpios.Member("./d/a", b"a" * 300),
        cpios.Member("./d/l", b"a", stat.S_IFLNK | 0o777),
        cpios.Member("./b", b"b"),
    )
    return b"".join(one.encode() for one in members) + cpios.TRAILER + bytes(300)


def _flip(chance: random.Random, data: bytearray) -> None:
    for _ in range(chance.choice((1, 1, 4, 40))):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def _cut(chance: random.Random, data: bytearray) -> None:
    del data[chance.randrange(len(data)) :]


def _swap(chance: random.Random, data: bytearray) -> None:
    first, second = (chance.randrange(1 + (len(data) - 1) // 512) * 512 for _ in range(2))
    data[first : first + 512], data[second : second + 512] = (
        data[second : second + 512],
        data[first : first + 512],
    )


def _double(chance: random.Random, data: bytearray) -> None:
    start = chance.randrange(1 + (len(data) - 1) // 4) * 4
    piece = data[start : start + chance.choice((4, 110, 512, 1024))]
    data[start:start] = piece * chance.choice((1, 2, 300))


def _edit(chance: random.Random, data: bytearray) -> None:
    """Something else into a field of a tar's header, and a checksum that fits."""
    start = chance.randrange(1 + (len(data) - 1) // 512) * 512
    at, size = chance.choice(((0, 100), (100, 8), (124, 12), (136, 12), (156, 1), (157, 100)))
    wrong = (
        b"\xff" * 12,
        b"\x80" + b"\xff" * 11,
        b"7" * 12,
        b"-1",
        b"../x",
        b"/",
        b"x\0y",
        b"SxLgK",
    )
    field = chance.choice(wrong)[:size]
    data[start + at : start + at + len(field)] = field
    block = data[start : start + 512]
    block[148:156] = b" " * 8
    data[start + 148 : start + 156] = b"%06o\0 " % sum(block)


def _number(chance: random.Random, data: bytearray) -> None:
    """Another number of four bytes, or of eight digits as a cpio has them."""
    at = chance.randrange(max(1, len(data) - 8))
    number = chance.choice((0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 4097))
    text = chance.choice((struct.pack(">I", number), b"%08x" % number))
    data[at : at + len(text)] = text


def _insert(chance: random.Random, data: bytearray) -> None:
    """A header before a member of a tar, such as no tar would write."""
    start = chance.randrange(1 + (len(data) - 1) // 512) * 512
    data[start:start] = chance.choice(INSERTS)


INSERTS = (
    raw.pax((b"size", b"x")),
    raw.pax((b"size", b"-512")),
    raw.pax((b"mtime", b"nan")),
    raw.pax((b"mtime", b"9" * 400)),
    raw.pax((b"path", b"d/" * 1000 + b"f")),
    raw.pax((b"linkpath", b"../" * 9)),
    raw.pax((b"GNU.sparse.map", b"0,x,1")),
    raw.pax((b"GNU.sparse.major", b"1"), (b"GNU.sparse.minor", b"0")),
    raw.pax((b"comment", b"c")) * 400,
    raw.extension(b"x", b"9" * 4096),
    raw.extension(b"L", b"n" * 5000),
    raw.header(b"x/s", kind=b"S", size=raw.large(-1)),
    raw.END,
)
SPOILERS: tuple[Spoiler, ...] = (_flip, _cut, _swap, _double, _edit, _number, _insert)


def _spoil(chance: random.Random, origin: bytes) -> bytes:
    data = bytearray(origin)
    for _ in range(chance.choice((1, 1, 2))):
        chance.choice(SPOILERS)(chance, data)
        data = data or bytearray(b"\0")
    return bytes(data)


def _use(archive: Path, target: Path) -> str:
    """Unpack and ask as the builder does; returns what came of it."""
    try:
        if rpm.is_rpm(archive):
            package = rpm.read(archive)
            for part in (package.header, package.signature):
                for tag in (1000, 1001, 1002, 1044, 1049, 1050):
                    part.text(tag), part.texts(tag), part.number(tag), part.binary(tag)
        unpack(archive, target, console=QUIET, limits=LIMITS)
    except VerificationError:
        return "refused"
    return "unpacked"


def _late(*_: Any) -> None:
    raise TimeoutError(f"it took more than {SECONDS} s")


def _judge(folder: Path, outcome: str) -> None:
    expected = {"archive", "out"} if outcome == "unpacked" else {"archive"}
    found = {path.name for path in folder.iterdir()}
    if found != expected:
        raise ValueError(f"it left {sorted(found)}")
    for path in folder.rglob("*"):
        kind = path.lstat().st_mode
        if not (stat.S_ISREG(kind) or stat.S_ISDIR(kind) or stat.S_ISLNK(kind)):
            raise ValueError(f"it made {path}, which is not a file, folder or link")
        if stat.S_ISLNK(kind) and folder / "out" not in path.resolve().parents:
            raise ValueError(f"it made {path}, which leads out")


def run(folder: Path, seed: int, count: int) -> Mapping[str, int]:
    """Unpack ``count`` spoilt archives; raises whatever an archive does beside being refused."""
    chance = random.Random(seed)  # noqa: S311 - the same archives every time
    outcomes = Counter[str]()
    makers: tuple[Callable[[random.Random], bytes], ...] = (
        lambda chance: _spoil(chance, _tar()),
        lambda chance: _rpm(_spoil(chance, _cpio())),
        lambda chance: _spoil(chance, _rpm(_cpio())),
    )
    signal.signal(signal.SIGALRM, _late)
    for number in range(count):
        place = folder / str(number)
        place.mkdir()
        data = makers[number % len(makers)](chance)
        if number % PACKED == 0:
            data = chance.choice(
                (gzip.compress(data, mtime=0), _spoil(chance, gzip.compress(_tar(), mtime=0)))
            )
        (place / "archive").write_bytes(data)
        signal.setitimer(signal.ITIMER_REAL, SECONDS)
        try:
            outcome = _use(place / "archive", place / "out")
            _judge(place, outcome)
        except BaseException:
            shutil.copyfile(place / "archive", folder / "harm")
            print(f"archive {number} of seed {seed} did harm: {folder / 'harm'}", file=sys.stderr)
            raise
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        outcomes[outcome] += 1
        shutil.rmtree(place)
    return outcomes


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    for outcome, times in sorted(run(Path(sys.argv[1]), *map(int, sys.argv[2:])).items()):
        print(outcome, times)
