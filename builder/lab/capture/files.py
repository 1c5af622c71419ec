"""Reads captures, and reports how much has been written.

QEMU's filter-dump writes the lab's own captures, every packet at once and as a whole.  So a
capture's size is always a position between two packets, and the packets between two such positions
passed in the time between.  Captures made elsewhere (tcpdump, Wireshark) are read as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from builder.errors import SmokeError
from builder.lab.capture import blocks, decoding, link, records
from builder.lab.capture.packet import Packet
from builder.lab.capture.record import Frame
from builder.lab.capture.records import Broken

HEADER = 24
"""Bytes of a capture without packets (pcap-savefile(5))."""


def is_running(path: Path) -> bool:
    """Whether QEMU has begun to write: all packets from now on are in the file."""
    try:
        return path.stat().st_size >= HEADER
    except OSError:
        return False


def frames(path: Path) -> Iterator[Frame]:
    """All frames of a pcap or pcapng file, whatever its byte order and time resolution.

    Raises SmokeError for a file that is not a capture or is truncated, and for a link type that
    cannot be read.
    """
    number = 0
    with path.open("rb") as stream:
        begin = stream.read(4)
        read = blocks.read if begin == blocks.BEGIN else records.read
        try:
            for frame in read(stream, begin):
                number = frame.number
                if frame.link not in link.READERS:
                    raise Broken(f"its link type is {frame.link}, which is not known here")
                yield frame
        except Broken as error:
            behind = f" behind packet {number}" if number else ""
            raise _unreadable(path, f"{error}{behind}") from None


def _unreadable(path: Path, cause: str) -> SmokeError:
    return SmokeError(
        f"the capture {path.name} cannot be judged", cause, "is the disk full? run the lab again"
    )


@dataclass(frozen=True)
class Capture:
    """All IP packets of a capture, and where each one's record ends in the file."""

    packets: tuple[Packet, ...]
    offsets: tuple[int, ...]

    def between(self, start: int, end: int) -> tuple[Packet, ...]:
        """Packets whose records end at ``start`` < offset <= ``end`` in the file, in bytes."""
        found = zip(self.packets, self.offsets, strict=True)
        return tuple(packet for packet, offset in found if start < offset <= end)


def read(path: Path, place: str) -> Capture:
    """The capture ``place``; raises SmokeError as ``frames`` does."""
    found = decoding.decode(place, frames(path))
    return Capture(tuple(one for one, _ in found), tuple(offset for _, offset in found))
