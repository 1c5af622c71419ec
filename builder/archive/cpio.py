"""The members of a cpio archive, read from the decompressed payload of an RPM.

The format is "newc" (cpio(5), New ASCII Format), the only one that rpm writes.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass

from builder.archive.member import DamagedArchive, Kind, Member
from builder.archive.stream import ForwardReader

_HEADER = 110  # bytes: the magic and 13 fields of eight hexadecimal digits
_MAGICS = (b"070701", b"070702")
_FIELDS = re.compile(rb"^[0-9A-Fa-f]{104}$")
_TRAILER = b"TRAILER!!!"
_LONGEST = 4096  # bytes of a name or a link's target; PATH_MAX, limits.h
_KINDS = {
    stat.S_IFREG: Kind.FILE,
    stat.S_IFDIR: Kind.FOLDER,
    stat.S_IFLNK: Kind.SYMLINK,
}
_SPECIAL = {
    stat.S_IFCHR: "a device node",
    stat.S_IFBLK: "a device node",
    stat.S_IFIFO: "a named pipe",
}


@dataclass(frozen=True)
class _Head:
    mode: int
    links: int
    time: int
    size: int
    name: bytes


def members(reader: ForwardReader) -> Iterator[Member]:
    """The members in order; raises DamagedArchive.

    ``reader`` returns a file's data next.
    """
    while True:
        head = _head(reader)
        data = reader.tell()
        if head.name == _TRAILER:
            reader.finish()
            return
        yield _member(head, reader)
        reader.seek(_padded(data + head.size))


def _head(reader: ForwardReader) -> _Head:
    start = reader.tell()
    raw = reader.read(_HEADER)
    if len(raw) < _HEADER:
        raise DamagedArchive("it is truncated")
    if raw[:6] not in _MAGICS or not _FIELDS.match(raw[6:]):
        raise DamagedArchive(f"no header of a member at byte {start}")
    fields = [int(raw[at : at + 8], 16) for at in range(6, _HEADER, 8)]
    length = fields[11]
    if not 1 < length <= _LONGEST:
        raise DamagedArchive(f"a name of {length} bytes")
    name = reader.read(length)
    if len(name) < length or not name.endswith(b"\0"):
        raise DamagedArchive("it is truncated inside a name")
    reader.seek(_padded(reader.tell()))
    return _Head(fields[1], fields[4], fields[5], fields[6], name[:-1])


def _member(head: _Head, reader: ForwardReader) -> Member:
    kind, link = _KINDS.get(stat.S_IFMT(head.mode), Kind.OTHER), b""
    if kind is Kind.SYMLINK:
        if head.size > _LONGEST:
            raise DamagedArchive(f"a link of {head.size} bytes")
        link = reader.read(head.size)
        if len(link) < head.size:
            raise DamagedArchive("it is truncated inside a link")
    size = head.size if kind is Kind.FILE else 0
    mode = stat.S_IMODE(head.mode)
    return Member(head.name, kind, link, size, mode, head.time, _odd(head, kind))


def _odd(head: _Head, kind: Kind) -> str:
    """Why a member must be refused; empty if it is acceptable."""
    if kind is Kind.OTHER:
        form = stat.S_IFMT(head.mode)
        return f"it is {_SPECIAL.get(form, f'of a kind that sources do not have ({form:#o})')}"
    if kind is Kind.FILE and head.links > 1:
        # Only the last link of such a file has its data.  Source RPMs have no hard links.
        return "it is a hard link, of a kind that sources do not have"
    if kind is Kind.FOLDER and head.size:
        return f"it is a folder, but has {head.size} bytes of data"
    return ""


def _padded(position: int) -> int:
    return position + -position % 4
