"""The header after IP's: ports, numbers, options, and what an ICMP error quotes."""

from __future__ import annotations

import struct
from dataclasses import replace
from ipaddress import ip_address

from builder.lab.capture import internet
from builder.lab.capture.packet import Ends, Transport
from builder.lab.capture.sums import ICMP, ICMPV6, SCTP, TCP, UDP

NAMES = {
    1: "icmp",
    2: "igmp",
    4: "ipip",
    6: "tcp",
    17: "udp",
    41: "ip6ip",
    47: "gre",
    50: "esp",
    58: "icmpv6",
    59: "nothing",
    89: "ospf",
    112: "vrrp",
    132: "sctp",
    internet.UNREADABLE: "unreadable",
}
HEADERS = {ICMP: 8, TCP: 20, UDP: 8, ICMPV6: 4, SCTP: 12}
"""Bytes of the shortest header."""
TCP_HEADER = struct.Struct(">HHIIH")
"""Ports, sequence and acknowledgement numbers, data offset and nine flags (RFC 9293, 3.1)."""
FLAGS = 0x1FF
WITH_PORTS = (TCP, UDP, SCTP)
ICMP_ERRORS = {"icmp": (3, 4, 5, 11, 12), "icmpv6": (1, 2, 3, 4)}


def name_of(number: int) -> str:
    return NAMES.get(number, f"ip-{number}")


def is_short(number: int, body: bytes) -> bool:
    """Whether the header does not end in ``body``."""
    if number == TCP and len(body) >= HEADERS[TCP]:
        return (body[12] >> 4) * 4 > len(body)
    return len(body) < HEADERS.get(number, 0)


def ports(number: int, body: bytes) -> tuple[int, int]:
    """Source and destination, or zeros where there are none."""
    if number not in WITH_PORTS or len(body) < 4:
        return 0, 0
    return int.from_bytes(body[:2], "big"), int.from_bytes(body[2:4], "big")


def transport(number: int, body: bytes, cut: bool) -> Transport:
    """What the header says; ``cut``: only the beginning of the body was captured.

    An incomplete header makes the protocol ``cut NAME`` or ``broken NAME``.
    """
    name = name_of(number)
    source, target = ports(number, body)
    if is_short(number, body):
        word = "cut" if cut else "broken"
        return Transport(f"{word} {name}", source_port=source, port=target, payload=body)
    if number == TCP:
        return _tcp(body)
    if number == UDP:
        end = int.from_bytes(body[4:6], "big") or len(body)
        return Transport(name, source_port=source, port=target, payload=body[8:end])
    if number in (ICMP, ICMPV6):
        return _icmp(name, body)
    return Transport(name, source_port=source, port=target, payload=body)


def _tcp(body: bytes) -> Transport:
    source, target, sequence, acknowledgement, word = TCP_HEADER.unpack_from(body)
    size = (word >> 12) * 4
    if size < HEADERS[TCP]:
        return Transport("broken tcp", source_port=source, port=target, payload=body)
    return Transport(
        "tcp",
        source_port=source,
        port=target,
        sequence=sequence,
        acknowledgement=acknowledgement,
        flags=word & FLAGS,
        options=options(body[20:size]) if size > HEADERS[TCP] else (),
        payload=body[size:],
    )


def options(raw: bytes) -> tuple[tuple[int, bytes], ...]:
    """TCP options, including the padding after the last one; ``-1`` for unreadable ones."""
    found: list[tuple[int, bytes]] = []
    at, end = 0, len(raw)
    while at < end:
        kind = raw[at]
        if kind <= 1:  # the end of the list, and no operation, have no length
            found.append((kind, b""))
            at += 1
            continue
        if at + 1 == end:
            return ((-1, raw),)
        size = max(2, raw[at + 1])
        found.append((kind, raw[at + 2 : at + size]))
        at += size
    return tuple(found)


def _icmp(name: str, body: bytes) -> Transport:
    """Type and code, and for errors the ends that they quote (RFC 792, RFC 4443)."""
    words = f"type {body[0]} code {body[1]}"
    error = body[0] in ICMP_ERRORS[name]
    quoted = _quoted(4 if name == "icmp" else 6, body[8:]) if error else None
    return Transport(name, payload=body, icmp=words, quoted=quoted)


def _quoted(version: int, inner: bytes) -> Ends | None:
    """Addresses and ports of the packet that an error is about, from the beginning that it quotes.

    A quoted fragment has ports only if it is the first one.
    """
    found = internet.parse(version, inner, len(inner))
    if not found.source:
        return None
    if found.piece is not None and not found.piece.offset:
        found = internet.walked(replace(found, piece=None))
    source, target = (0, 0) if found.piece is not None else ports(found.protocol, found.body)
    return str(ip_address(found.source)), source, str(ip_address(found.destination)), target
