"""Locate the parts of an RPM in its file, with every length and offset checked.

The format is described in rpm's docs/manual/format.md (version 4 packages: lead, signature
header, header, payload).  Nothing in the file is trusted: signatures are checked with this
module, and it reads packages that a container has made.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

import msgspec

from builder.errors import VerificationError

MAGIC = b"\xed\xab\xee\xdb"
_LEAD = 96  # bytes
_INTRO = struct.Struct(">8sII")  # magic with version and four zeros, entries, bytes of data
_ENTRY = struct.Struct(">IIII")  # tag, type, offset, count
_HEADER_MAGIC = b"\x8e\xad\xe8\x01\0\0\0\0"
_MOST_ENTRIES = 1 << 16
_MOST_DATA = 64 << 20  # bytes; a kernel's header has about one million
_REGION_TAGS = frozenset({62, 63})  # HEADERSIGNATURES, HEADERIMMUTABLE
_STRINGS = frozenset({6, 8, 9})  # STRING, STRING_ARRAY, I18NSTRING
_BINARY = 7
_INTEGERS = {4: ">I", 5: ">Q"}

NAME, VERSION, RELEASE, EPOCH = 1000, 1001, 1002, 1003
ARCH, SOURCE_RPM = 1022, 1044
REQUIRE_NAME, REQUIRE_VERSION = 1049, 1050
PAYLOAD_DIGEST, PAYLOAD_DIGEST_ALGORITHM = 5092, 5093


class _Entry(msgspec.Struct, frozen=True):
    kind: int
    offset: int
    count: int


class RpmHeader(msgspec.Struct, frozen=True):
    """One header; ``start`` and ``end`` are its byte offsets in the file.

    ``sealed``: the first entry is a region that spans all other entries, as rpmbuild writes it;
    a signature of the header does not cover data outside a region.
    """

    start: int
    end: int
    sealed: bool
    _entries: Mapping[int, _Entry]
    _data: bytes

    def text(self, tag: int) -> str:
        """The (first) string of a tag, empty if there is none."""
        entry = self._entries.get(tag)
        if entry is None or entry.kind not in _STRINGS:
            return ""
        end = self._data.find(b"\0", entry.offset)
        return self._data[entry.offset : max(end, entry.offset)].decode(errors="replace")

    def texts(self, tag: int) -> tuple[str, ...]:
        """All strings of a tag; none if it is missing or runs past the header's end."""
        entry = self._entries.get(tag)
        if entry is None or entry.kind not in _STRINGS:
            return ()
        found = self._data[entry.offset :].split(b"\0", entry.count)[:-1]
        return tuple(text.decode(errors="replace") for text in found[: entry.count])

    def number(self, tag: int) -> int | None:
        """The (first) integer of a tag."""
        entry = self._entries.get(tag)
        form = _INTEGERS.get(entry.kind) if entry else None
        if entry is None or form is None or entry.offset + struct.calcsize(form) > len(self._data):
            return None
        found: int = struct.unpack_from(form, self._data, entry.offset)[0]
        return found

    def binary(self, tag: int) -> bytes | None:
        """The bytes of a tag, None if it is not there."""
        entry = self._entries.get(tag)
        if entry is None or entry.kind != _BINARY:
            return None
        return self._data[entry.offset : entry.offset + entry.count]


class RpmPackage(msgspec.Struct, frozen=True):
    """An RPM's two headers and its file size in bytes; the payload follows the headers."""

    signature: RpmHeader
    header: RpmHeader
    size: int

    @property
    def payload(self) -> int:
        """Where the compressed payload begins."""
        return self.header.end

    @property
    def release(self) -> str:
        """name-version-release, as the header says."""
        return "-".join(self.header.text(tag) for tag in (NAME, VERSION, RELEASE))

    @property
    def file_name(self) -> str:
        """The file name that rpmbuild would have given it.

        A source RPM has no SOURCERPM (rpm's lib/package.c); its arch is the build host's.
        """
        arch = self.header.text(ARCH) if self.header.text(SOURCE_RPM) else "src"
        return f"{self.release}.{arch}.rpm"


def is_rpm(path: Path) -> bool:
    """Whether a file begins like an RPM."""
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def read(path: Path) -> RpmPackage:
    """The headers of an RPM; raises VerificationError if it is not one, truncated or damaged."""
    with path.open("rb") as file:
        lead = file.read(_LEAD)
        if not lead.startswith(MAGIC):
            raise _refuse(path, f"it begins with {lead[:4].hex() or 'nothing'}, unlike an RPM")
        signature = _read_header(file, path, "signature header")
        file.seek(-signature.end % 8, 1)  # it is padded to eight bytes
        header = _read_header(file, path, "header")
        return RpmPackage(signature, header, file.seek(0, 2))


def _read_header(file: IO[bytes], path: Path, what: str) -> RpmHeader:
    start = file.tell()
    intro = file.read(_INTRO.size)
    if len(intro) < _INTRO.size:
        raise _refuse(path, f"it is truncated inside its {what}")
    magic, count, size = _INTRO.unpack(intro)
    if magic != _HEADER_MAGIC:
        raise _refuse(path, f"its {what} does not begin as one (at byte {start})")
    if not 0 < count <= _MOST_ENTRIES or size > _MOST_DATA:
        raise _refuse(path, f"its {what} claims {count} entries and {size} bytes")
    if count * _ENTRY.size + size > os.fstat(file.fileno()).st_size - file.tell():
        raise _refuse(path, f"it is truncated inside its {what}")  # before allocating memory
    index, data = file.read(count * _ENTRY.size), file.read(size)
    entries: dict[int, _Entry] = {}
    for tag, entry in _entries(index):
        if tag in entries or entry.offset > size or entry.count > size - entry.offset:
            raise _refuse(path, f"its {what} has tag {tag} twice or beyond its end")
        entries[tag] = entry
    return RpmHeader(start, file.tell(), _is_sealed(index, data), entries, data)


def _entries(index: bytes) -> Iterator[tuple[int, _Entry]]:
    for tag, kind, offset, count in _ENTRY.iter_unpack(index):
        yield tag, _Entry(kind, offset, count)


def _is_sealed(index: bytes, data: bytes) -> bool:
    """Whether the first entry is a region over the whole header.

    The region's data is its trailer, a separate entry at the end of the data.  The trailer's
    negative offset is the number of index bytes in the region (rpm's lib/header.c).
    """
    tag, kind, offset, count = _ENTRY.unpack_from(index)
    if tag not in _REGION_TAGS or kind != _BINARY or count != _ENTRY.size:
        return False
    if offset + _ENTRY.size != len(data):
        return False
    back = struct.unpack_from(">i", data, offset + 8)[0]
    return bool(-back == len(index))


def _refuse(path: Path, cause: str) -> VerificationError:
    return VerificationError(
        f"{path.name} is not a complete RPM",
        cause,
        "fetch it again (`invoke fetch --update` if it was replaced on purpose)",
    )
