"""The members of a cpio archive as they come out of an RPM's decompressor, in tar's terms.

The format is "newc" (cpio(5), New ASCII Format), the only one that rpm writes.
"""

from __future__ import annotations

import re
import stat
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass

from builder.archive.stream import ForwardReader

_HEADER = 110  # bytes: the magic and 13 fields of eight hexadecimal digits
_MAGICS = (b"070701", b"070702")
_FIELDS = re.compile(rb"^[0-9A-Fa-f]{104}$")
_TRAILER = b"TRAILER!!!"
_LONGEST = 4096  # bytes of a name or a link's goal; PATH_MAX, limits.h
_KINDS = {
    stat.S_IFREG: tarfile.REGTYPE,
    stat.S_IFDIR: tarfile.DIRTYPE,
    stat.S_IFLNK: tarfile.SYMTYPE,
    stat.S_IFCHR: tarfile.CHRTYPE,
    stat.S_IFBLK: tarfile.BLKTYPE,
    stat.S_IFIFO: tarfile.FIFOTYPE,
}
_UNKNOWN = b"?"


@dataclass(frozen=True)
class _Head:
    mode: int
    links: int
    time: int
    size: int
    name: bytes


def members(reader: ForwardReader) -> Iterator[tarfile.TarInfo]:
    """The members in their order; raises tarfile.TarError if the archive is damaged.

    The data of a file is what ``reader`` gives next.
    """
    while True:
        head = _head(reader)
        data = reader.tell()
        if head.name == _TRAILER:
            reader.drain()
            return
        yield _member(head, reader)
        reader.seek(_padded(data + head.size))


def _head(reader: ForwardReader) -> _Head:
    start = reader.tell()
    raw = reader.read(_HEADER)
    if len(raw) < _HEADER:
        raise tarfile.ReadError("it ends in the middle")
    if raw[:6] not in _MAGICS or not _FIELDS.match(raw[6:]):
        raise tarfile.ReadError(f"no header of a member at byte {start}")
    fields = [int(raw[at : at + 8], 16) for at in range(6, _HEADER, 8)]
    length = fields[11]
    if not 1 < length <= _LONGEST:
        raise tarfile.ReadError(f"a name of {length} bytes")
    name = reader.read(length)
    if len(name) < length or not name.endswith(b"\0"):
        raise tarfile.ReadError("it ends within a name")
    reader.seek(_padded(reader.tell()))
    return _Head(fields[1], fields[4], fields[5], fields[6], name[:-1])


def _member(head: _Head, reader: ForwardReader) -> tarfile.TarInfo:
    member = tarfile.TarInfo(head.name.decode("utf-8", "surrogateescape"))
    member.type = _KINDS.get(stat.S_IFMT(head.mode), _UNKNOWN)
    member.mode, member.mtime = stat.S_IMODE(head.mode), head.time
    if member.isreg():
        member.size = head.size
        if head.links > 1:  # their data comes with the last of them: rpm has none in sources
            member.type = _UNKNOWN
    elif member.issym():
        if head.size > _LONGEST:
            raise tarfile.ReadError(f"a link of {head.size} bytes")
        goal = reader.read(head.size)
        if len(goal) < head.size:
            raise tarfile.ReadError("it ends within a link")
        member.linkname = goal.decode("utf-8", "surrogateescape")
    return member


def _padded(position: int) -> int:
    return position + -position % 4
