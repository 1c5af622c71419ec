"""What the link layer wraps around IP, by link type (tcpdump.org/linktypes.html)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

NULL, ETHERNET, RAW_BSD, RAW_OPENBSD, RAW, LOOP = 0, 1, 12, 14, 101, 108
COOKED, IPV4, IPV6, COOKED2 = 113, 228, 229, 276
TYPE_IPV4, TYPE_IPV6 = 0x0800, 0x86DD
TAGS = (0x8100, 0x88A8, 0x9100, 0x9200)
"""Types of VLAN tags: IEEE 802.1Q, 802.1ad, and what QinQ had before that."""
TALK = (0x0806, 0x8035, 0x8809, 0x888E, 0x88CC, 0x9000)
"""Types that carry no packets: ARP, RARP, slow protocols, EAPOL, LLDP, loopback."""
SNAP = b"\xaa\xaa\x03\0\0\0"
"""LLC and SNAP in front of an Ethernet type (IEEE 802.2, RFC 1042)."""
CONTROL = 0
"""Type of frames of IEEE 802.3 that carry no packets, such as those of spanning tree."""


class Wrapped(NamedTuple):
    """What a frame carries.  ``type``: Ethernet's, negative if it was cut off.

    ``mac``: the sender, empty where the link type has none.  ``vlans``: from the outer tag to the
    inner.  ``at``: where the packet begins in the frame.  ``to``: the receiver, empty like ``mac``.
    """

    type: int
    mac: str
    vlans: tuple[int, ...]
    at: int
    to: str = ""


def unwrap(link: int, data: bytes) -> Wrapped:
    """The frame's head.  Raises KeyError for a link type that is not in ``READERS``."""
    return READERS[link](data)


def _number(data: bytes, at: int) -> int:
    """The number in two bytes, negative if they were cut off."""
    return int.from_bytes(data[at : at + 2], "big") if len(data) >= at + 2 else -1


def _typed(data: bytes, at: int, mac: str) -> Wrapped:
    """Unwraps from an Ethernet type on, past all tags."""
    vlans: list[int] = []
    kind = _number(data, at)
    while kind in TAGS:
        vlans.append(_number(data, at + 2) & 0xFFF)
        at += 4
        kind = _number(data, at)
    if 0 <= kind <= 1500:
        snap = data[at + 2 : at + 8] == SNAP
        at += 8 if snap else 0
        kind = _number(data, at) if snap else CONTROL
    return Wrapped(kind, mac, tuple(vlans), at + 2)


def _ethernet(data: bytes) -> Wrapped:
    return _typed(data, 12, data[6:12].hex(":"))._replace(to=data[:6].hex(":"))


def _cooked(data: bytes) -> Wrapped:
    return _typed(data, 14, data[6 : 6 + min(_number(data, 4), 8)].hex(":"))


def _cooked2(data: bytes) -> Wrapped:
    """The type comes first in this header, and tags after it."""
    size = data[11] if len(data) > 11 else 0
    mac = data[12 : 12 + min(size, 8)].hex(":")
    kind = _number(data, 0)
    if kind not in TAGS:
        return Wrapped(kind, mac, (), 20)
    inner = _typed(data, 22, mac)
    return inner._replace(vlans=(_number(data, 20) & 0xFFF, *inner.vlans))


def _family(data: bytes) -> Wrapped:
    """After four bytes of address family; its numbers differ by system, so IP's version is used."""
    return _raw(data, 4)


def _raw(data: bytes, at: int = 0) -> Wrapped:
    version = data[at] >> 4 if len(data) > at else -1
    kinds = {4: TYPE_IPV4, 6: TYPE_IPV6}
    return Wrapped(kinds.get(version, version), "", (), at)


READERS: dict[int, Callable[[bytes], Wrapped]] = {
    NULL: _family,
    LOOP: _family,
    ETHERNET: _ethernet,
    RAW_BSD: _raw,
    RAW_OPENBSD: _raw,
    RAW: _raw,
    IPV4: _raw,
    IPV6: _raw,
    COOKED: _cooked,
    COOKED2: _cooked2,
}
