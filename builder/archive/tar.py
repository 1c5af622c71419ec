"""The members of a tar, read strictly and in time linear in its length.

Why a reader of our own: the standard library's ``tarfile`` trusts its input (quadratic pax
headers, recursion on chains of headers, tracebacks on malformed numbers), and treats damage as
the end.  bsdtar (libarchive) in a child process reads a dozen formats that no source uses, each
with its own history of bugs.  It writes the files itself, so they would have to be read again for
their digests, and it reports neither member nor cause in a reliable form.  Sources use few
formats: ustar (POSIX.1-1988), pax (POSIX.1-2001, "pax Interchange Format"), and GNU tar's long
names and large numbers (its manual, "Basic Tar Format").  This module reads these and refuses
everything else by name; files are hashed while they are written.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from msgspec.structs import replace

from builder.archive.member import DamagedArchive, Kind, Member, shown
from builder.archive.stream import CHUNK, ForwardReader

BLOCK = 512  # bytes; "tar block size"
_FIELDS = struct.Struct("100s8s16x12s12s8sc100s8s80x155s12x")
_ZEROS = bytes(BLOCK)
_NUMBER = re.compile(rb" *([0-7]*)[ \0]*")
_SUM = slice(148, 156)  # the checksum field, which counts as blanks
_SUM_AS_BLANKS = 8 * ord(" ")
_POSIX, _GNU, _OLD = b"ustar\x00", b"ustar ", bytes(8)
_LARGEST = 1 << 63  # limit of sizes and times
_LENGTH = re.compile(rb"([1-9][0-9]{0,7}) ")
_DECIMAL = re.compile(rb"[0-9]{1,19}")
_MOMENT = re.compile(rb"(-?[0-9]{1,19})(?:\.[0-9]*)?")

_KINDS = {
    b"\0": Kind.FILE,
    b"0": Kind.FILE,
    b"1": Kind.HARDLINK,
    b"2": Kind.SYMLINK,
    b"5": Kind.FOLDER,
}
_SPECIAL = {b"3": "a device node", b"4": "a device node", b"6": "a named pipe"}
_EXTENDED = {
    b"L": "long name",
    b"K": "long link",
    b"x": "extended header",
    b"g": "global header",
}
_HEEDED = frozenset({b"path", b"linkpath", b"size", b"mtime"})
# Owners, other times, attributes and comments: a source tree does not keep them.
_IGNORED = frozenset(
    {b"comment", b"atime", b"ctime", b"uid", b"gid", b"uname", b"gname", b"charset"}
    | {b"hdrcharset", b"LIBARCHIVE.creationtime", b"RHT.security.selinux"}
)
_IGNORED_FAMILIES = (
    b"LIBARCHIVE.xattr.",
    b"SCHILY.xattr.",
    b"SCHILY.acl.",
    b"SCHILY.fflags",
    b"SCHILY.dev",
    b"SCHILY.ino",
    b"SCHILY.nlink",
    b"MSWINDOWS.",
)


@dataclass
class _Extension:
    """What the headers before a member say about it; each kind occurs at most once."""

    seen: set[bytes] = field(default_factory=set)
    name: bytes | None = None
    link: bytes | None = None
    records: dict[bytes, bytes] = field(default_factory=dict)
    odd: str = ""  # why the member must be refused


def members(reader: ForwardReader) -> Iterator[Member]:
    """The members in order, none of them kept in memory; raises DamagedArchive.

    ``reader`` returns a file's data next.
    """
    shared: dict[bytes, bytes] = {}  # from global headers, for all later members
    while (member := _next(reader, shared)) is not None:
        end = reader.tell() + member.size
        yield member
        reader.seek(end + -end % BLOCK)


def _next(reader: ForwardReader, shared: dict[bytes, bytes]) -> Member | None:
    """The next member, None at the end; the headers before it are limited in number and size."""
    extension: _Extension | None = None
    while True:
        block = reader.read(BLOCK)
        if block == _ZEROS:
            if extension is not None and extension.seen != {b"g"}:
                raise DamagedArchive("it ends before the member of an extended header")
            reader.finish()
            return None
        if len(block) < BLOCK:
            raise DamagedArchive("it is truncated")
        kind = block[156:157]
        if kind not in _EXTENDED:
            return _member(block, extension, shared)
        extension = extension or _Extension()
        _extend(reader, block, extension, shared)


def _check(block: bytes) -> None:
    """Raises Damaged if the block is not a header."""
    if sum(block) - sum(block[_SUM]) + _SUM_AS_BLANKS != _octal(block[_SUM], "checksum"):
        raise DamagedArchive("a damaged header: its checksum is wrong")
    magic = block[257:265]
    if magic[:6] not in (_POSIX, _GNU) and magic != _OLD:
        raise DamagedArchive(f"a header of a format that is not a tar's ({magic!r})")


def _member(block: bytes, extension: _Extension | None, shared: dict[bytes, bytes]) -> Member:
    _check(block)
    name, mode, size, mtime, _, flag, link, magic, prefix = _FIELDS.unpack(block)
    name = name.partition(b"\0")[0]
    if magic[:6] == _POSIX and prefix[0]:
        name = prefix.partition(b"\0")[0] + b"/" + name
    plain = Member(
        name,
        _KINDS.get(flag, Kind.OTHER),
        link.partition(b"\0")[0],
        _number(size, "size"),
        _number(mode, "mode"),
        _number(mtime, "time"),
    )
    member = _extended(plain, extension, shared) if extension or shared else plain
    if member.size < 0:
        raise DamagedArchive(f"member {shown(member.name)}: its size is {member.size}")
    return _judged(member, flag)


def _judged(member: Member, flag: bytes) -> Member:
    """The member, with ``odd`` set if it must be refused."""
    if member.odd:
        return member
    if member.kind is Kind.FILE and member.name.endswith(b"/"):
        member = replace(member, kind=Kind.FOLDER)  # as in archives before folders had a flag
    if member.kind is Kind.OTHER:
        special = _SPECIAL.get(flag, f"of a kind that sources do not have ({flag!r})")
        return replace(member, odd=f"it is {special}")
    if member.size and member.kind is not Kind.FILE:
        return replace(member, odd=f"it is a link or a folder, but has {member.size} bytes of data")
    return member


def _extended(member: Member, extension: _Extension | None, shared: dict[bytes, bytes]) -> Member:
    """The member with its extended headers applied; the nearest header wins."""
    extension = extension or _Extension()
    records = shared | extension.records
    name = member.name if extension.name is None else extension.name
    link = member.link if extension.link is None else extension.link
    return replace(
        member,
        name=records.get(b"path", name),
        link=records.get(b"linkpath", link),
        size=int(records.get(b"size", member.size)),
        mtime=int(records.get(b"mtime", member.mtime)),
        odd=extension.odd,
    )


def _extend(
    reader: ForwardReader, block: bytes, extension: _Extension, shared: dict[bytes, bytes]
) -> None:
    """Read one header that comes before its member."""
    _check(block)
    kind, size = block[156:157], _number(block[124:136], "size")
    what = _EXTENDED[kind]
    if kind in extension.seen:
        raise DamagedArchive(f"a second {what} before one member")
    extension.seen.add(kind)
    data = _body(reader, size, what)
    if kind == b"L":
        extension.name = data.rstrip(b"\0")
    elif kind == b"K":
        extension.link = data.rstrip(b"\0")
    elif kind == b"x":
        extension.records, strange = _records(data, what)
        if strange:
            extension.odd = f"its extended header has {shown(strange)}, which is not supported"
    else:
        records, strange = _records(data, what)
        if strange or records.keys() - {b"mtime"}:
            key = strange or max(records.keys() - {b"mtime"})
            raise DamagedArchive(f"a global header with {shown(key)}, which is not supported")
        shared.update(records)


def _body(reader: ForwardReader, size: int, what: str) -> bytes:
    if not 0 < size <= CHUNK:
        raise DamagedArchive(f"a header of {size} bytes ({what})")
    data = reader.read(size)
    if len(data) < size:
        raise DamagedArchive(f"it is truncated inside a header ({what})")
    reader.seek(reader.tell() + -size % BLOCK)
    return data


def _records(data: bytes, what: str) -> tuple[dict[bytes, bytes], bytes]:
    """The records that are used, and a key that is neither used nor ignored, if there is one.

    A record is ``length key=value`` and a line feed.
    """
    found: dict[bytes, bytes] = {}
    strange, at = b"", 0
    while at < len(data):
        length = _LENGTH.match(data, at)
        end = at + int(length[1]) if length else 0
        if length is None or not length.end() < end <= len(data) or data[end - 1] != ord("\n"):
            raise DamagedArchive(f"a damaged {what}: a record of it has a wrong length")
        key, equals, value = data[length.end() : end - 1].partition(b"=")
        if not equals or key in found:
            raise DamagedArchive(
                f"a damaged {what}: {shown(key)} is in it twice or without a value"
            )
        if key in _HEEDED:
            found[key] = _heeded(key, value)
        elif key not in _IGNORED and not key.startswith(_IGNORED_FAMILIES):
            strange = strange or key
        at = end
    return found, strange


def _heeded(key: bytes, value: bytes) -> bytes:
    """The checked value of a record; numbers as decimal integers."""
    if key == b"mtime":
        moment = _MOMENT.fullmatch(value)
        if moment is not None:
            return moment[1]
    elif key == b"size":
        if _DECIMAL.fullmatch(value):
            return value
    elif value:
        return value
    raise DamagedArchive(f"a damaged extended header: its {key.decode()} is {shown(value)}")


def _number(data: bytes, what: str) -> int:
    """A number in octal digits, or in GNU tar's base 256: a mark, then big-endian bytes."""
    if data[0] & 0x80:
        if data[0] not in (0x80, 0xFF):
            raise DamagedArchive(f"a header whose {what} is out of range")
        number = int.from_bytes(data[1:], "big") - (1 << 8 * (len(data) - 1)) * (data[0] == 0xFF)
        if not -_LARGEST <= number < _LARGEST:
            raise DamagedArchive(f"a header whose {what} is out of range")
        return number
    return _octal(data, what)


def _octal(data: bytes, what: str) -> int:
    digits = _NUMBER.fullmatch(data)
    if digits is None:
        raise DamagedArchive(f"a damaged header: its {what} is {shown(data)}")
    return int(digits[1] or b"0", 8)
