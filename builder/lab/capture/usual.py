"""A fast path for the usual frame: Ethernet, plain headers, TCP or UDP, and no fault.

All other frames are left to ``decoding``, which says why.  Both give the same result; a test
compares them.
"""

from __future__ import annotations

import struct

from builder.lab.capture import link
from builder.lab.capture.names import address
from builder.lab.capture.packet import Packet
from builder.lab.capture.record import Frame
from builder.lab.capture.sums import RIGHT, TCP, UDP
from builder.lab.capture.transport import FLAGS, TCP_HEADER, options

ETHERNET = 14
"""Bytes in front of IP, without tags."""
FOUR = struct.Struct(">BxHHHBB2x4s4s")
"""Version and size, length, identification, fragment, TTL, protocol, ends."""
SIX = struct.Struct(">IHBB16s16s")
UDP_HEADER = struct.Struct(">HHHH")
FRAGMENT = 0x3FFF
"""Offset, and whether more follow."""
NOP_TIMESTAMP, TIMESTAMPED = b"\x01\x01\x08\x0a", ((1, b""), (1, b""))
"""Options of most segments (RFC 7323, appendix A)."""


def usual(place: str, frame: Frame) -> Packet | None:
    """The packet of a usual frame; None for other frames."""
    if frame.link != link.ETHERNET:
        return None
    data = frame.data
    kind = data[12:14]
    if kind == b"\x08\x00":
        return _four(place, frame, data)
    if kind == b"\x86\xdd":
        return _six(place, frame, data)
    return None


def _four(place: str, frame: Frame, data: bytes) -> Packet | None:
    if len(data) < ETHERNET + 28:
        return None
    first, length, ident, piece, ttl, protocol, source, target = FOUR.unpack_from(data, ETHERNET)
    end = ETHERNET + length
    if first != 0x45 or length < 28 or len(data) < end or piece & FRAGMENT:
        return None
    if int.from_bytes(data[ETHERNET:34], "big") % 0xFFFF:
        return None
    head = (source, target, ttl, length, ident)
    return _transport(place, frame, head, (protocol, data[26:34], data[34:end]))


def _six(place: str, frame: Frame, data: bytes) -> Packet | None:
    if len(data) < ETHERNET + 48:
        return None
    first, size, protocol, ttl, source, target = SIX.unpack_from(data, ETHERNET)
    end = 54 + size
    if first >> 28 != 6 or size < 8 or len(data) < end:
        return None
    head = (source, target, ttl, 40 + size, 0)
    return _transport(place, frame, head, (protocol, data[22:54], data[54:end]))


Head = tuple[bytes, bytes, int, int, int]
"""Source, destination, TTL, length, identification."""
Content = tuple[int, bytes, bytes]
"""Protocol, both ends, and what IP carries."""


def _transport(place: str, frame: Frame, head: Head, content: Content) -> Packet | None:
    protocol, ends, body = content
    if protocol == TCP:
        return _tcp(place, frame, head, body) if _adds_up(content) else None
    if protocol != UDP:
        return None
    source, target, said, stored = UDP_HEADER.unpack_from(body)
    if not 8 <= said <= len(body):
        return None
    body = body[:said]
    if not (_adds_up((UDP, ends, body)) if stored else len(ends) == 8):
        return None
    return _udp(place, frame, head, (source, target), body[8:])


def _adds_up(content: Content) -> bool:
    """Whether the checksum is right, with the pseudo header (RFC 9293, 3.1; RFC 8200, 8.1)."""
    protocol, ends, body = content
    size = len(body)
    total = int.from_bytes(body, "big") << (8 if size & 1 else 0)
    return not (int.from_bytes(ends, "big") + protocol + size + total) % 0xFFFF


def _tcp(place: str, frame: Frame, head: Head, body: bytes) -> Packet | None:
    size = len(body)
    if size < 20:
        return None
    port, target, sequence, acknowledgement, word = TCP_HEADER.unpack_from(body)
    at = (word >> 12) * 4
    if not 20 <= at <= size:
        return None
    told: tuple[tuple[int, bytes], ...] = ()
    if at == 32 and body[20:24] == NOP_TIMESTAMP:
        told = (*TIMESTAMPED, (8, body[24:32]))
    elif at > 20:
        told = options(body[20:at])
    return Packet(
        "tcp",
        port,
        target,
        sequence,
        acknowledgement,
        word & FLAGS,
        told,
        body[at:],
        place=place,
        frame=frame.number,
        time=frame.time,
        source=address(head[0]),
        destination=address(head[1]),
        ttl=head[2],
        length=head[3],
        sums=RIGHT,
        mac=frame.data[6:12].hex(":"),
        to=frame.data[:6].hex(":"),
        ident=head[4],
    )


def _udp(place: str, frame: Frame, head: Head, ports: tuple[int, int], payload: bytes) -> Packet:
    return Packet(
        "udp",
        ports[0],
        ports[1],
        payload=payload,
        place=place,
        frame=frame.number,
        time=frame.time,
        source=address(head[0]),
        destination=address(head[1]),
        ttl=head[2],
        length=head[3],
        sums=RIGHT,
        mac=frame.data[6:12].hex(":"),
        to=frame.data[:6].hex(":"),
        ident=head[4],
    )
