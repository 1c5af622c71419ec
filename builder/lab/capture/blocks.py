"""Reads pcapng files (IETF draft-ietf-opsawg-pcapng)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from builder.lab.capture.record import Frame
from builder.lab.capture.records import LONGEST, Broken, exactly

SECTION, INTERFACE, OLD_PACKET, SIMPLE_PACKET, PACKET = 0x0A0D0D0A, 1, 2, 3, 6
BEGIN = struct.pack("<I", SECTION)
"""A file's first four bytes: the same in both byte orders."""
BYTE_ORDER = 0x1A2B3C4D
OPT_RESOLUTION, OPT_TIME_OFFSET = 9, 14


@dataclass(frozen=True)
class _Card:
    """An interface of the file.  ``divisor``: fractions of a second in its times."""

    link: int
    snap: int
    divisor: float
    since: int


@dataclass
class _Section:
    """What the blocks of a section share."""

    order: str
    cards: list[_Card] = field(default_factory=list)

    def unpack(self, form: str, data: bytes) -> tuple[int, ...]:
        """Raises Broken where the block is too short."""
        form = self.order + form
        if len(data) < struct.calcsize(form):
            raise Broken("a block is too short for what it should have")
        return struct.unpack_from(form, data)

    def card(self, number: int) -> _Card:
        if number >= len(self.cards):
            raise Broken(f"a packet of interface {number}, which the file does not describe")
        return self.cards[number]


def read(stream: BinaryIO, begin: bytes) -> Iterator[Frame]:
    """All frames after ``begin``, the file's first four bytes, which were already read.

    Raises Broken for a file that is not such a capture or is truncated.
    """
    section, kind, offset, number = _Section("<"), begin, 0, 0
    while kind:
        kind += exactly(stream, 4 - len(kind))
        if kind == BEGIN:
            section, body, size = _begun(stream)
        else:
            body, size = _body(stream, section)
        offset += size
        frame = _frame(section, section.unpack("I", kind)[0], body, number + 1, offset)
        if frame is not None:
            number += 1
            yield frame
        kind = stream.read(4)


def _begun(stream: BinaryIO) -> tuple[_Section, bytes, int]:
    """A new section; its byte order follows its length."""
    head = exactly(stream, 8)
    orders = {struct.pack(order + "I", BYTE_ORDER): order for order in "<>"}
    if head[4:] not in orders:
        raise Broken("it does not begin as captures do")
    section = _Section(orders[head[4:]])
    (size,) = section.unpack("I", head)
    if not 28 <= size <= LONGEST:
        raise Broken(f"a block of {size} bytes")
    return section, head[4:] + exactly(stream, size - 12), size


def _body(stream: BinaryIO, section: _Section) -> tuple[bytes, int]:
    """A block's bytes between its two lengths, which must agree."""
    (size,) = section.unpack("I", exactly(stream, 4))
    if not 12 <= size <= LONGEST or size % 4:
        raise Broken(f"a block of {size} bytes")
    body = exactly(stream, size - 12)
    if section.unpack("I", exactly(stream, 4))[0] != size:
        raise Broken("a block ends with another length than it begins with")
    return body, size


def _frame(section: _Section, kind: int, body: bytes, number: int, offset: int) -> Frame | None:
    """The frame of a packet block; other blocks are taken in, or passed over."""
    if kind == INTERFACE:
        section.cards.append(_card(section, body))
        return None
    if kind == PACKET:
        card, high, low, size, wire = section.unpack("5I", body)
        head = 20
    elif kind == OLD_PACKET:
        card, _, high, low, size, wire = section.unpack("2H4I", body)
        head = 20
    elif kind == SIMPLE_PACKET:
        (wire,) = section.unpack("I", body)
        card = high = low = 0
        snap = section.card(0).snap
        size, head = min(wire, snap or wire, len(body) - 4), 4
    else:
        return None
    data = body[head : head + size]
    if len(data) < size:
        raise Broken("a packet is longer than its block")
    own = section.card(card)
    time = own.since + ((high << 32) | low) / own.divisor
    return Frame(number, time, data, offset, max(wire, size), own.link)


def _card(section: _Section, body: bytes) -> _Card:
    link, _, snap = section.unpack("HHI", body)
    divisor, since = 1e6, 0
    for code, value in _options(section, body[8:]):
        if code == OPT_RESOLUTION and value:
            divisor = float(2 ** (value[0] & 127) if value[0] & 128 else 10 ** value[0])
        if code == OPT_TIME_OFFSET:
            (since,) = section.unpack("q", value)
    return _Card(link, snap, divisor, since)


def _options(section: _Section, data: bytes) -> Iterator[tuple[int, bytes]]:
    while len(data) >= 4:
        code, size = section.unpack("HH", data)
        if not code:
            return
        yield code, data[4 : 4 + size]
        data = data[4 + size + -size % 4 :]
