"""TCP options in words (IANA's registry of TCP option kinds), whatever is in them."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address

NOP, MSS, WSCALE, SACK_OK, SACK, TIMESTAMP = 1, 2, 3, 4, 5, 8
_FIXED = {0: "eol", 1: "nop", 4: "sackOK"}
_NAMED = {19: "md5", 28: "user timeout", 29: "tcp-ao", 30: "mptcp", 34: "fast open"}
# Kinds from here on belong to no standard; series use one of them for the client's address.
_UNASSIGNED = 100
_ADDRESSED = (2 + 4, 2 + 16)


def words(kind: int, value: bytes) -> str:
    """``mss 1460``, ``sack 5-9``, ``TOA 10.0.1.2:50026 (kind 254)``."""
    return _standard(kind, value) or _other(kind, value)


def _standard(kind: int, value: bytes) -> str:
    """The options that every host sends, in words; empty for other and malformed options."""
    match kind, len(value):
        case ((0 | 1 | 4), 0):
            return _FIXED[kind]
        case 2, 2:
            return f"mss {_number(value)}"
        case 3, 1:
            return f"wscale {value[0]}"
        case 5, (8 | 16 | 24 | 32):
            return "sack " + " ".join(_blocks(value))
        case 8, 8:
            return f"TS {_number(value[:4])} ecr {_number(value[4:])}"
    return ""


def _blocks(value: bytes) -> Iterator[str]:
    for at in range(0, len(value), 8):
        yield f"{_number(value[at : at + 4])}-{_number(value[at + 4 : at + 8])}"


def _other(kind: int, value: bytes) -> str:
    if kind > _UNASSIGNED and len(value) in _ADDRESSED:
        return f"TOA {client(value)} (kind {kind})"
    name = _NAMED.get(kind, f"option {kind}")
    return f"{name} of {len(value)} byte{'' if len(value) == 1 else 's'}"


def client(value: bytes) -> str:
    """The client that TOA names: its port, then its address (the series' own layout)."""
    if len(value) not in _ADDRESSED:
        return f"malformed: {len(value)} bytes"
    address, port = ip_address(value[2:]), _number(value[:2])
    return f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"


def _number(value: bytes) -> int:
    return int.from_bytes(value, "big")
