"""Reads pcap files (pcap-savefile(5); IETF draft-ietf-opsawg-pcap)."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterator
from typing import BinaryIO

from builder.lab.capture.record import Frame

MICROSECONDS, NANOSECONDS = 0xA1B2C3D4, 0xA1B23C4D
DIVISORS = {
    struct.pack(order + "I", magic): (order, divisor)
    for order in "<>"
    for magic, divisor in ((MICROSECONDS, 1e6), (NANOSECONDS, 1e9))
}
"""Byte order and fractions of a second, by the file's first four bytes."""
LONGEST = 1 << 24
"""Bytes of a frame, at most: more is not a frame but a damaged file."""


class Broken(ValueError):
    """What is wrong with a file."""


def read(stream: BinaryIO, begin: bytes) -> Iterator[Frame]:
    """All frames after ``begin``, the file's first four bytes, which were already read.

    Raises Broken for a file that is not such a capture or is truncated.
    """
    if begin not in DIVISORS:
        raise Broken("it does not begin as captures do")
    order, divisor = DIVISORS[begin]
    (link,) = struct.unpack(order + "16xI", exactly(stream, 20))
    head, offset = struct.Struct(order + "IIII"), 24
    for number in itertools.count(1):
        first = stream.read(head.size)
        if not first:
            return
        first += exactly(stream, head.size - len(first))
        seconds, fraction, size, wire = head.unpack(first)
        if size > LONGEST:
            raise Broken(f"a frame of {size} bytes")
        data = exactly(stream, size)
        offset += head.size + size
        # the upper half says whether frames end with a check sequence
        yield Frame(
            number, seconds + fraction / divisor, data, offset, max(wire, size), link & 0xFFFF
        )


def exactly(stream: BinaryIO, size: int) -> bytes:
    """Reads ``size`` bytes; raises Broken if the file ends first."""
    data = stream.read(size)
    if len(data) < size:
        raise Broken("it is truncated")
    return data
