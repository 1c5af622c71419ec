"""Tars block by block, so that every field can be wrong; what Python's tarfile would not write."""

from __future__ import annotations

import lzma
import struct
import zlib

BLOCK = 512
END = bytes(2 * BLOCK)
NOW = 1_700_000_000
POSIX, GNU, OLD = b"ustar\x0000", b"ustar  \0", bytes(8)


def header(
    name: bytes,
    *,
    kind: bytes = b"0",
    size: int | bytes = 0,
    mtime: int | bytes = NOW,
    link: bytes = b"",
    magic: bytes = POSIX,
    prefix: bytes = b"",
) -> bytes:
    """One header block with a right checksum; numbers as given in bytes go in as they are."""
    fields = (
        name,
        b"0000644\0",
        bytes(16),
        size if isinstance(size, bytes) else b"%011o\0" % size,
        mtime if isinstance(mtime, bytes) else b"%011o\0" % mtime,
        b" " * 8,
        kind,
        link,
        magic,
        bytes(80),
        prefix,
        bytes(12),
    )
    block = struct.pack("100s8s16s12s12s8sc100s8s80s155s12s", *fields)
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % BLOCK)


def file(name: bytes, data: bytes = b"data", **fields: int | bytes) -> bytes:
    """A file and its data."""
    return header(name, **{"size": len(data), **fields}) + padded(data)  # type: ignore[arg-type]


def extension(kind: bytes, data: bytes) -> bytes:
    """A header that says something of the member after it."""
    return header(b"././@Extension", kind=kind, size=len(data)) + padded(data)


def record(key: bytes, value: bytes) -> bytes:
    """One record of a pax header, with its length as it must be."""
    rest = b" %b=%b\n" % (key, value)
    length = len(rest) + 1
    while len(str(length)) + len(rest) != length:
        length = len(str(length)) + len(rest)
    return str(length).encode() + rest


def pax(*records: tuple[bytes, bytes], kind: bytes = b"x") -> bytes:
    return extension(kind, b"".join(record(key, value) for key, value in records))


def large(number: int) -> bytes:
    """A number as GNU tar writes it when octal digits do not suffice, in twelve bytes."""
    mark = b"\xff" if number < 0 else b"\x80"
    return mark + (number % (1 << 88)).to_bytes(11, "big")


def xz_with_a_large_dictionary(data: bytes) -> bytes:
    """The format's section 5.3.1: the dictionary's size is one byte of the block's header."""
    made = bytearray(lzma.compress(data, filters=[{"id": lzma.FILTER_LZMA2, "preset": 0}]))
    start, length = 12, (made[12] + 1) * 4
    made[start + made[start:].index(b"\x21\x01") + 2] = 40  # 4 GiB - 1
    made[start + length - 4 : start + length] = struct.pack(
        "<I", zlib.crc32(made[start : start + length - 4])
    )
    return bytes(made)
