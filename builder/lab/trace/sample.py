"""Makes captures of both sides of a director of the lts series, for measurements.

They are the same each time, and as long as requested: written packets are not kept in memory.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from builder.lab.capture.packet import ACK, FIN, PSH, SYN
from builder.lab.capture.records import MICROSECONDS
from builder.lab.capture.sums import folded

VIP, LOCAL, SERVER = ("192.0.2.10", 80), "10.0.0.1", ("10.1.0.5", 8080)
FIRST_CLIENT, FIRST_PORT = "198.18.0.0", 5000
PORTS, CLIENTS = 60_000, 1000
HANDSHAKE, CLOSING = 3, 3
BETWEEN, DELAY = 20e-6, 50e-6
"""Seconds between two packets, and from one side of the director to the other."""
HEADER = struct.pack("<IHHiIII", MICROSECONDS, 2, 4, 0, 0, 65535, 1)
MACS = bytes.fromhex("525400000001525400000002") + b"\x08\x00"
PATTERN = bytes(range(256)) * 8
MSS = b"\x02\x04\x05\xb4"
LOWERED = b"\x02\x04\x05\xac"
STAMP = b"\x01\x01\x08\x0a" + bytes(8)


@dataclass(frozen=True)
class SampleShape:
    """``packets``: of each connection on each side, 7 at least.  ``content``: bytes of each data
    segment.  ``open``: connections at a time.  ``stamped``: segments have timestamps.
    ``ahead``: the inside's clock less the outside's, in seconds."""

    connections: int
    packets: int = 25
    content: int = 1250
    open: int = 200
    stamped: bool = True
    ahead: float = 0.0


@dataclass(frozen=True)
class _Segment:
    """As the outside has it.  ``toa``: the inside has the client's address on it."""

    forth: bool
    flags: int
    sequence: int
    acknowledgement: int
    payload: bytes
    options: bytes
    inner_options: bytes


def write(outside: Path, inside: Path, shape: SampleShape) -> None:
    """Both captures, in the order of time."""
    with outside.open("wb") as outer, inside.open("wb") as inner:
        for stream in (outer, inner):
            stream.write(HEADER)
        now = 1_000_000.0
        for first in range(0, shape.connections, shape.open):
            group = range(first, min(first + shape.open, shape.connections))
            ways = [_connection(number, shape) for number in group]
            while ways:
                ways = [way for way in ways if _step(way, (outer, inner), now, shape.ahead)]
                now += BETWEEN * max(1, len(ways))


def _step(
    way: Iterator[tuple[bytes, bytes]], streams: tuple[BinaryIO, BinaryIO], now: float, ahead: float
) -> bool:
    frames = next(way, None)
    if frames is None:
        return False
    for stream, frame, time in zip(streams, frames, (now, now + DELAY + ahead), strict=True):
        whole = int(time)
        head = struct.pack("<IIII", whole, int((time - whole) * 1e6), len(frame), len(frame))
        stream.write(head + frame)
    return True


def _connection(number: int, shape: SampleShape) -> Iterator[tuple[bytes, bytes]]:
    """Frames of one connection, as both sides have each."""
    base = int.from_bytes(socket.inet_aton(FIRST_CLIENT), "big")
    client = (base + 1 + number % CLIENTS).to_bytes(4, "big")
    port, local_port = 1024 + number // CLIENTS, FIRST_PORT + number % PORTS
    toa = b"\xfe\x08" + port.to_bytes(2, "big") + client
    vip, local, server = (socket.inet_aton(one) for one in (VIP[0], LOCAL, SERVER[0]))
    for identity, one in enumerate(_segments(number, shape, toa)):
        outer = (client, port, vip, VIP[1]) if one.forth else (vip, VIP[1], client, port)
        inner = (local, local_port, server, SERVER[1])
        if not one.forth:
            inner = (server, SERVER[1], local, local_port)
        yield (
            _frame(outer, one, one.options, 64 if one.forth else 63, identity),
            _frame(inner, one, one.inner_options, 63 if one.forth else 64, identity),
        )


def _segments(number: int, shape: SampleShape, toa: bytes) -> Iterator[_Segment]:
    stamp = STAMP if shape.stamped else b""
    mine, theirs = (number * 2654435761) % (1 << 32), (number * 40503 + 77) % (1 << 32)
    yield _Segment(True, SYN, mine, 0, b"", MSS + stamp, toa + MSS + stamp)
    mine += 1
    yield _Segment(False, SYN | ACK, theirs, mine, b"", LOWERED + stamp, MSS + stamp)
    theirs += 1
    yield _Segment(True, ACK, mine, theirs, b"", stamp, toa + stamp)
    start = mine
    for at in range(max(1, shape.packets - HANDSHAKE - CLOSING)):
        forth = at % 4 == 0
        begin = (number * 7 + at * 13) % 256
        payload = PATTERN[begin : begin + shape.content]
        inner = (toa if forth and mine == start else b"") + stamp
        numbers = (mine, theirs) if forth else (theirs, mine)
        yield _Segment(forth, ACK | PSH, *numbers, payload, stamp, inner)
        mine, theirs = mine + forth * len(payload), theirs + (not forth) * len(payload)
    late = toa + stamp if mine == start else stamp
    yield _Segment(True, FIN | ACK, mine, theirs, b"", stamp, late)
    yield _Segment(False, FIN | ACK, theirs, mine + 1, b"", stamp, stamp)
    yield _Segment(True, ACK, mine + 1, theirs + 1, b"", stamp, stamp)


def _frame(
    ends: tuple[bytes, int, bytes, int], one: _Segment, options: bytes, ttl: int, identity: int
) -> bytes:
    source, port, target, to = ends
    size = 20 + len(options)
    head = struct.pack(
        ">HHIIHHHH",
        *(port, to, one.sequence % (1 << 32), one.acknowledgement % (1 << 32)),
        *(size // 4 << 12 | one.flags, 64_000, 0, 0),
    )
    body = head + options + one.payload
    length = len(body)
    pseudo = source + target + struct.pack(">HH", 6, length)
    body = body[:16] + _sum(pseudo + body).to_bytes(2, "big") + body[18:]
    ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + length, identity + 1, 0x4000, ttl, 6, 0)
    ip += source + target
    return MACS + ip[:10] + _sum(ip).to_bytes(2, "big") + ip[12:] + body


def _sum(data: bytes) -> int:
    """The checksum (RFC 1071)."""
    return ~folded(data) & 0xFFFF
