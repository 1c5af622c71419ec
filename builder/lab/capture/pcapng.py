"""Writes captures as pcapng, in which hosts and links have names (IETF draft-ietf-opsawg-pcapng).

Wireshark shows an interface's name in the column "interface" and resolves addresses by the
names in the file (Preferences, Name Resolution).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from pathlib import Path

from builder.lab.capture.record import Frame

SECTION, INTERFACE, NAMES, PACKET = 0x0A0D0D0A, 1, 4, 6
BYTE_ORDER = 0x1A2B3C4D
ETHERNET = 1
SNAP_LENGTH = 65536
OPT_IF_NAME, OPT_IF_DESCRIPTION = 2, 3
NAME_IPV4, NAME_IPV6 = 1, 2
MICROSECONDS = 1_000_000


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def _block(kind: int, body: bytes) -> bytes:
    size = struct.pack("<I", len(body) + 12)
    return struct.pack("<I", kind) + size + body + size


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("<HH", code, len(value)) + _padded(value)


def _names(names: Mapping[str, str]) -> bytes:
    records = b""
    for address, name in names.items():
        parsed = ip_address(address)
        kind = NAME_IPV4 if parsed.version == 4 else NAME_IPV6
        records += _option(kind, parsed.packed + name.encode() + b"\0")
    return records + bytes(4)


def write(
    path: Path, name: str, description: str, names: Mapping[str, str], frames: Iterable[Frame]
) -> None:
    """Write ``frames`` as captured on interface ``name``.

    ``names``: by address.  Frames keep their numbers, so all frames of a capture must be given.
    """
    with path.open("wb") as stream:
        stream.write(_block(SECTION, struct.pack("<IHHq", BYTE_ORDER, 1, 0, -1)))
        options = _option(OPT_IF_NAME, name.encode())
        options += _option(OPT_IF_DESCRIPTION, description.encode()) + bytes(4)
        stream.write(_block(INTERFACE, struct.pack("<HHI", ETHERNET, 0, SNAP_LENGTH) + options))
        stream.write(_block(NAMES, _names(names)))
        for frame in frames:
            moment = round(frame.time * MICROSECONDS)
            size, wire = len(frame.data), frame.wire
            head = struct.pack("<IIIII", 0, moment >> 32, moment & 0xFFFFFFFF, size, wire)
            stream.write(_block(PACKET, head + _padded(frame.data)))
