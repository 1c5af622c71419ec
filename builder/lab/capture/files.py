"""Reads the captures that QEMU's filter-dump writes, and says how far they have come.

QEMU writes every packet at once and as a whole, so a capture's size is a place between two
packets, and what lies between two such places is what passed in between.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from builder.errors import SmokeError
from builder.lab.capture.packet import Packet, decode

HEADER = 24
"""Bytes of a capture without packets (pcap-savefile(5))."""
MAGIC = struct.pack("=I", 0xA1B2C3D4)
"""In the host's own byte order, with microseconds: as QEMU writes it (net/dump.c)."""
RECORD = struct.Struct("=IIII")


@dataclass(frozen=True)
class Frame:
    """A frame as it was captured.  ``offset``: where its record ends in the file, in bytes."""

    number: int
    time: float
    data: bytes
    offset: int


def is_running(path: Path) -> bool:
    """QEMU has begun to write: what passes from now on is in the file."""
    try:
        return path.stat().st_size >= HEADER
    except OSError:
        return False


def frames(path: Path) -> Iterator[Frame]:
    """All frames.  Raises SmokeError for a file that is no capture, or is cut short."""
    with path.open("rb") as stream:
        begin = stream.read(HEADER)
        if len(begin) < HEADER or begin[:4] != MAGIC:
            raise _broken(path, "it does not begin as captures do")
        offset = HEADER
        for number in itertools.count(1):
            head = stream.read(RECORD.size)
            if not head:
                return
            seconds, micros, size, _ = RECORD.unpack(head.ljust(RECORD.size, b"\0"))
            data = stream.read(size)
            if len(head) < RECORD.size or len(data) < size:
                raise _broken(path, f"it is cut short behind packet {number - 1}, byte {offset}")
            offset += RECORD.size + size
            yield Frame(number, seconds + micros / 1e6, data, offset)


def _broken(path: Path, cause: str) -> SmokeError:
    return SmokeError(
        f"the capture {path.name} cannot be judged", cause, "is the disk full? run the lab again"
    )


@dataclass(frozen=True)
class Capture:
    """All IP packets of a capture, and where each one's record ends in the file."""

    packets: tuple[Packet, ...]
    offsets: tuple[int, ...]

    def between(self, start: int, end: int) -> tuple[Packet, ...]:
        """Those whose records end in ``start`` < offset <= ``end`` of the file, in bytes."""
        found = zip(self.packets, self.offsets, strict=True)
        return tuple(packet for packet, offset in found if start < offset <= end)


def read(path: Path, place: str) -> Capture:
    """The capture ``place``; raises SmokeError as ``frames`` does."""
    found: list[tuple[Packet, int]] = []
    for frame in frames(path):
        packet = decode(place, frame.number, frame.time, frame.data)
        if packet is not None:
            found.append((packet, frame.offset))
    return Capture(tuple(one for one, _ in found), tuple(offset for _, offset in found))
