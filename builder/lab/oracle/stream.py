"""One direction of a TCP connection, put together from its segments (RFC 9293, 3.4)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from builder.lab.capture.packet import FIN, SYN, Packet

SPACE = 1 << 32
HALF = 1 << 31


def distance(later: int, earlier: int) -> int:
    """How far ``later`` is after ``earlier`` in sequence space; negative if it is before."""
    return (later - earlier + HALF) % SPACE - HALF


@dataclass(frozen=True)
class Stream:
    """``start``: sequence number of the first byte.  ``data``: up to the first gap.

    ``gap``: bytes were seen after ``data`` that do not join it.  ``torn``: packets that repeat a
    part of the stream with different bytes.
    """

    start: int
    data: bytes
    gap: bool
    torn: tuple[Packet, ...]


def assemble(segments: Iterable[Packet]) -> Stream:
    """The stream of segments that go the same way between the same ends."""
    ordered = tuple(segments)
    first = next((one for one in ordered if one.flags & SYN), None)
    if first is not None:
        start = (first.sequence + 1) % SPACE
    else:
        start = min(
            (one.sequence for one in ordered if one.payload),
            key=lambda number: distance(number, ordered[0].sequence),
            default=0,
        )
    held: dict[int, int] = {}
    torn: list[Packet] = []
    for packet in ordered:
        at = distance((packet.sequence + bool(packet.flags & SYN)) % SPACE, start)
        known = [held.get(at + index) for index in range(len(packet.payload))]
        if any(old not in (None, new) for old, new in zip(known, packet.payload, strict=True)):
            torn.append(packet)
        for index, byte in enumerate(packet.payload):
            held.setdefault(at + index, byte)
    length = 0
    while length in held:
        length += 1
    data = bytes(held[index] for index in range(length))
    return Stream(start, data, any(index > length for index in held), tuple(torn))


def behind_holes(segments: Iterable[Packet], start: int) -> tuple[Packet, ...]:
    """Segments that came before some earlier bytes: something was lost, or overtaken.

    ``start``: sequence number of the stream's first byte.  A repetition of bytes that came before
    is not behind a hole.
    """
    edge = 0
    spans: list[tuple[int, int]] = []
    found: list[Packet] = []
    for packet in segments:
        if packet.flags & SYN or not (packet.size or packet.flags & FIN):
            continue
        at = distance(packet.sequence, start)
        if at > edge:
            found.append(packet)
        spans = sorted((*spans, (at, at + packet.size)))
        while spans and spans[0][0] <= edge:
            edge = max(edge, spans.pop(0)[1])
    return tuple(found)
