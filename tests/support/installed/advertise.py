"""Sends one router advertisement (RFC 4861, 4.2) through an interface: advertise.py INTERFACE."""

from __future__ import annotations

import socket
import struct
import sys
from ipaddress import IPv6Address

ROUTER = IPv6Address("fe80::1").packed
ALL_NODES = IPv6Address("ff02::1").packed
LIFETIME = 1800
# On-link and autonomous: hosts make themselves an address (RFC 4861, 4.6.2).
PREFIX = struct.pack("!BBBBIII", 3, 4, 64, 0xC0, 86400, 14400, 0)
PREFIX += IPv6Address("2001:db8:7::").packed


def checksum(data: bytes) -> int:
    """The Internet's (RFC 1071)."""
    total = sum(int.from_bytes(data[at : at + 2]) for at in range(0, len(data), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def advertisement() -> bytes:
    """An Ethernet frame to all nodes of the link."""
    body = struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, LIFETIME, 0, 0) + PREFIX
    pseudo = ROUTER + ALL_NODES + struct.pack("!II", len(body), 58)
    body = body[:2] + struct.pack("!H", checksum(pseudo + body)) + body[4:]
    packet = struct.pack("!IHBB", 6 << 28, len(body), 58, 255) + ROUTER + ALL_NODES + body
    return bytes.fromhex("333300000001 02005e000001 86dd") + packet


if __name__ == "__main__":
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as line:
        line.bind((sys.argv[1], 0))
        line.send(advertisement())
