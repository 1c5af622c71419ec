"""Frames and captures made by hand, byte by byte, with checksums reckoned here (RFC 1071)."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

CLIENT4, VIP4 = "10.0.1.2", "10.0.1.1"
CLIENT6, VIP6 = "fd00:1::2", "fd00:1::1"
TCP, UDP, ICMP, ICMPV6, SCTP = 6, 17, 1, 58, 132
HOP, ROUTING, FRAGMENT, AH, NO_NEXT, DESTINATION = 0, 43, 44, 51, 59, 60
MACS = bytes.fromhex("525400000001525400000002")
DATA = b"client proof/1 000001\n"


def checksum(data: bytes) -> int:
    padded = data + bytes(len(data) % 2)
    total: int = sum(struct.unpack(f">{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def packed(address: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)


def pseudo(source: str, target: str, number: int, length: int) -> bytes:
    if ":" in source:
        return packed(source) + packed(target) + struct.pack(">II", length, number)
    return packed(source) + packed(target) + struct.pack(">BBH", 0, number, length)


def summed(number: int, body: bytes, source: str, target: str) -> bytes:
    """A segment with its checksum filled in: where it is depends on the protocol."""
    at = {TCP: 16, UDP: 6, ICMPV6: 2, ICMP: 2}[number]
    zeroed = body[:at] + bytes(2) + body[at + 2 :]
    head = b"" if number == ICMP else pseudo(source, target, number, len(body))
    value = checksum(head + zeroed) or (0xFFFF if number == UDP else 0)
    return zeroed[:at] + struct.pack(">H", value) + zeroed[at + 2 :]


def partial(number: int, body: bytes, source: str, target: str) -> bytes:
    """As a kernel leaves it to the card: the sum of the pseudo header, not inverted."""
    at = 16 if number == TCP else 6
    value = ~checksum(pseudo(source, target, number, len(body))) & 0xFFFF
    return body[:at] + struct.pack(">H", value) + body[at + 2 :]


def bare_udp(payload: bytes = DATA, ports: tuple[int, int] = (50026, 53)) -> bytes:
    size = 8 + len(payload)
    return struct.pack(">HHHH", *ports, size if size < 65536 else 0, 0) + payload


def bare_tcp(payload: bytes = DATA) -> bytes:
    return struct.pack(">HHIIBBHHH", 50026, 80, 1000, 2000, 5 << 4, 0x18, 64000, 0, 0) + payload


def udp4(payload: bytes = DATA, source: str = CLIENT4, target: str = VIP4) -> bytes:
    return summed(UDP, bare_udp(payload), source, target)


def udp6(payload: bytes = DATA, source: str = CLIENT6, target: str = VIP6) -> bytes:
    return summed(UDP, bare_udp(payload), source, target)


def tcp4(payload: bytes = DATA) -> bytes:
    return summed(TCP, bare_tcp(payload), CLIENT4, VIP4)


def tcp6(payload: bytes = DATA) -> bytes:
    return summed(TCP, bare_tcp(payload), CLIENT6, VIP6)


def spoilt(data: bytes) -> bytes:
    """The last byte is another one."""
    return data[:-1] + bytes((data[-1] ^ 1,))


def ip4(
    number: int,
    body: bytes,
    *,
    ident: int = 7,
    offset: int = 0,
    more: bool = False,
    options: bytes = b"",
    length: int | None = None,
    source: str = CLIENT4,
    target: str = VIP4,
) -> bytes:
    """``length``: what the header says, if not the truth."""
    size = 20 + len(options)
    total = size + len(body) if length is None else length
    place = (offset // 8) | (0x2000 if more else 0)
    begin = struct.pack(">BBHHHBBH", 0x40 | size // 4, 0, total, ident, place, 64, number, 0)
    head = begin + packed(source) + packed(target) + options
    return head[:10] + struct.pack(">H", checksum(head)) + head[12:] + body


def ip6(
    number: int,
    body: bytes,
    *,
    length: int | None = None,
    source: str = CLIENT6,
    target: str = VIP6,
) -> bytes:
    said = len(body) if length is None else length
    begin = struct.pack(">IHBB", 6 << 28, said, number, 64)
    return begin + packed(source) + packed(target) + body


def extension(following: int, content: bytes = b"\x01\x04\0\0\0\0") -> bytes:
    """A header of IPv6 that tells its length in units of eight bytes, with options in it."""
    assert (len(content) + 2) % 8 == 0
    return bytes((following, (len(content) + 2) // 8 - 1)) + content


def fragment_header(following: int, offset: int, more: bool, ident: int = 7) -> bytes:
    return struct.pack(">BBHI", following, 0, offset | more, ident)


Cut = tuple[int, int]
"""A piece of a datagram: from, to."""


def fragments4(body: bytes, cuts: Iterable[Cut], **more: int) -> list[bytes]:
    return [
        ether(ip4(UDP, body[a:b], offset=a, more=b < len(body), **more))  # type: ignore[arg-type]
        for a, b in cuts
    ]


def fragments6(body: bytes, cuts: Iterable[Cut], number: int = UDP) -> list[bytes]:
    return [
        ether(ip6(FRAGMENT, fragment_header(number, a, b < len(body)) + body[a:b])) for a, b in cuts
    ]


def ether(packet: bytes, *tags: tuple[int, int]) -> bytes:
    """An Ethernet frame; ``tags``: type and number of each VLAN tag, the outer first."""
    kind = 0x86DD if packet[:1] and packet[0] >> 4 == 6 else 0x0800
    marks = b"".join(struct.pack(">HH", *tag) for tag in tags)
    return MACS + marks + struct.pack(">H", kind) + packet


@dataclass(frozen=True)
class Kept:
    """A frame of which the capture has but the first ``size`` bytes (its snapshot length)."""

    frame: bytes
    size: int


def pcap(
    path: Path,
    frames: Iterable[bytes | Kept],
    *,
    link: int = 1,
    order: str = "<",
    magic: int = 0xA1B2C3D4,
) -> Path:
    data = struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 65535, link)
    for number, one in enumerate(frames):
        frame, size = (one.frame, one.size) if isinstance(one, Kept) else (one, len(one))
        kept = frame[:size]
        data += struct.pack(order + "IIII", 1000, number, len(kept), len(frame)) + kept
    path.write_bytes(data)
    return path


def block(order: str, kind: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 4)
    size = struct.pack(order + "I", len(body) + 12)
    return struct.pack(order + "I", kind) + size + body + size


def pcapng(path: Path, frames: Iterable[bytes | Kept], *, order: str = "<") -> Path:
    """Two interfaces, of which the second has the packets, in nanoseconds."""
    data = block(order, 0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1))
    data += block(order, 1, struct.pack(order + "HHI", 113, 0, 0))
    nanoseconds = struct.pack(order + "HHB3xHH", 9, 1, 9, 0, 0)
    data += block(order, 1, struct.pack(order + "HHI", 1, 0, 0) + nanoseconds)
    data += block(order, 0x99, b"a block that nobody knows")
    for number, one in enumerate(frames):
        frame, size = (one.frame, one.size) if isinstance(one, Kept) else (one, len(one))
        kept = frame[:size]
        moment = 1000 * 10**9 + number
        times = (moment >> 32, moment & 0xFFFFFFFF)
        head = struct.pack(order + "IIIII", 1, *times, len(kept), len(frame))
        data += block(order, 6, head + kept)
    path.write_bytes(data)
    return path
