"""IP headers of both versions, up to the first header of another protocol (RFC 791, 8200)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

from builder.lab.capture import sums
from builder.lab.capture.sums import RIGHT, Ends, Sums

HOP, IPV4, IPV6, ROUTING, FRAGMENT, AH, NO_NEXT, DESTINATION = 0, 4, 41, 43, 44, 51, 59, 60
MOBILITY, HIP, SHIM6 = 135, 139, 140
EXTENSIONS = (HOP, ROUTING, FRAGMENT, AH, DESTINATION, MOBILITY, HIP, SHIM6)
"""Headers of IPv6 that tell their own length (IANA, IPv6 Extension Header Types)."""
OPTION_JUMBO, OPTION_HOME = 0xC2, 0xC9
LOOSE_ROUTE, STRICT_ROUTE = 131, 137
UNREADABLE = -1
"""The protocol of a packet whose headers cannot be read to their end."""
ETHERNET_ROOM = 46
"""Bytes that an Ethernet frame carries at least; shorter packets are padded (IEEE 802.3)."""


@dataclass(frozen=True)
class Piece:
    """What makes a packet a fragment.  ``offset``: of its first byte in the datagram."""

    ident: int
    offset: int
    more: bool


@dataclass(frozen=True)
class Datagram:
    """A packet at the IP layer.

    ``source`` and ``destination``: packed, empty if they could not be read.  ``protocol``: of
    ``body``, which is everything captured after the headers.  ``length``: in bytes, with all
    headers, as IP states it.  ``cut``: not all of it was captured.  ``header``: the verdict on the
    headers alone.  ``ends``: for the pseudo header.  ``missing``: bytes that were not captured.
    ``ident``: IPv4's identification.
    """

    source: bytes
    destination: bytes
    ttl: int
    protocol: int
    body: bytes
    length: int
    cut: bool
    header: Sums
    ends: Ends
    piece: Piece | None = None
    missing: int = 0
    ident: int = 0


class Chain(NamedTuple):
    """A walk along headers: where it ended.  ``ends``: as routing headers and options say."""

    protocol: int
    body: bytes
    ends: Ends
    fault: Sums = RIGHT
    piece: Piece | None = None


def parse(version: int, data: bytes, wire: int) -> Datagram:
    """The packet that begins with ``data``, of which ``wire`` bytes were on the link."""
    if not data or data[0] >> 4 != version:
        return _unreadable(data, wire, f"not a header of IPv{version}")
    return _four(data, wire) if version == 4 else _six(data, wire)


def _unreadable(data: bytes, wire: int, why: str) -> Datagram:
    known = sums.wrong(why) if data and len(data) >= wire else sums.CUT
    return Datagram(b"", b"", 0, UNREADABLE, data, wire, len(data) < wire, known, Ends(b"", b""))


def _four(data: bytes, wire: int) -> Datagram:
    size = (data[0] & 15) * 4
    if len(data) < max(size, 20) or size < 20:
        return _unreadable(data, wire, "shorter than an IPv4 header")
    said = int.from_bytes(data[2:4], "big")
    length = said or wire
    ends = Ends(data[12:16], _routed(data[20:size]) or data[16:20], not said)
    place = int.from_bytes(data[6:8], "big")
    more, offset = bool(place & 0x2000), (place & 0x1FFF) * 8
    ident = int.from_bytes(data[4:6], "big")
    found = Datagram(
        source=data[12:16],
        destination=data[16:20],
        ttl=data[8],
        protocol=data[9],
        body=data[size:length],
        length=length,
        cut=len(data) < min(length, wire),
        header=_header_four(data[:size], length, wire, said),
        ends=ends,
        piece=Piece(ident, offset, more) if more or offset else None,
        missing=max(0, min(length, wire) - len(data)),
        ident=ident,
    )
    return found if found.piece is not None else walked(found)


def _header_four(header: bytes, length: int, wire: int, said: int) -> Sums:
    if not sums.holds(header):
        if not said:
            return sums.undecided("total length 0: header and segments are left to the card (TSO)")
        return sums.wrong("the checksum of IPv4's header is wrong")
    return _sized(length, len(header), wire)


def _sized(length: int, least: int, wire: int) -> Sums:
    if length < least or length > wire:
        return sums.wrong(f"IP's length is {length}, and {wire} bytes are there")
    return RIGHT


def _routed(options: bytes) -> bytes:
    """The last address of a source route that is not used up (RFC 791, 3.1)."""
    at = 0
    while at < len(options) and options[at]:
        if options[at] == 1:
            at += 1
            continue
        size = options[at + 1] if at + 1 < len(options) else 0
        if size < 2:
            break
        value = options[at : at + size]
        if options[at] in (LOOSE_ROUTE, STRICT_ROUTE) and 7 <= len(value) >= value[2] + 3:
            return value[-4:]
        at += size
    return b""


def _six(data: bytes, wire: int) -> Datagram:
    if len(data) < 40:
        return _unreadable(data, wire, "shorter than an IPv6 header")
    said, first = int.from_bytes(data[4:6], "big"), data[6]
    jumbo = _jumbo(data) if first == HOP else 0
    length, fault = _length_six(said, first, jumbo, wire)
    ends = Ends(data[8:24], data[24:40], bool(length != 40 + said or jumbo))
    plain = Datagram(
        source=data[8:24],
        destination=data[24:40],
        ttl=data[7],
        protocol=first,
        body=data[40:length],
        length=length,
        cut=len(data) < min(length, wire),
        header=sums.worst(fault, _sized(length, 40, wire)),
        ends=ends,
        missing=max(0, min(length, wire) - len(data)),
    )
    found = walked(plain)
    if jumbo and found.piece is not None:
        return replace(found, header=sums.wrong("a fragment of a jumbogram (RFC 2675, 3)"))
    return found


def _length_six(said: int, first: int, jumbo: int, wire: int) -> tuple[int, Sums]:
    """The packet's length, from the header, the jumbo option or the frame."""
    if jumbo:
        bad = said or jumbo <= 0xFFFF
        fault = sums.wrong("a jumbo option beside a length (RFC 2675, 3)") if bad else RIGHT
        return (40 + said if said else 40 + jumbo), fault
    if said or first == NO_NEXT or wire <= ETHERNET_ROOM:
        return 40 + said, RIGHT
    return wire, RIGHT


def _jumbo(data: bytes) -> int:
    """The length in a jumbo option of the hop-by-hop header after ``data``'s first 40 bytes."""
    value = _option(data[42 : 40 + _size(HOP, data[40:42])], OPTION_JUMBO)
    return int.from_bytes(value, "big") if len(value) == 4 else 0


def _option(options: bytes, kind: int) -> bytes:
    """An option's value (RFC 8200, 4.2)."""
    at = 0
    while at + 1 < len(options):
        if options[at] == 0:
            at += 1
            continue
        if options[at] == kind:
            return options[at + 2 : at + 2 + options[at + 1]]
        at += 2 + options[at + 1]
    return b""


def walked(found: Datagram) -> Datagram:
    """The datagram past its extension headers, at a fragment's content or another protocol.

    Headers after an encapsulated payload (ESP) or an unknown header cannot be walked.
    """
    six = len(found.source) == 16
    end = _walk(found.protocol, found.body, found.ends, six)
    fault = end.fault
    if found.cut and fault.verdict == "wrong" and end.protocol == UNREADABLE:
        fault = sums.CUT
    return replace(
        found,
        protocol=end.protocol,
        body=end.body,
        ends=end.ends,
        piece=end.piece or found.piece,
        header=sums.worst(found.header, fault),
    )


def _walk(protocol: int, body: bytes, ends: Ends, six: bool) -> Chain:
    headers = EXTENSIONS if six else (AH,)
    fault, first = RIGHT, True
    while protocol in headers:
        size = _size(protocol, body)
        if len(body) < max(size, 8):
            return Chain(UNREADABLE, body, ends, sums.wrong("shorter than its extension headers"))
        header, body = body[:size], body[size:]
        if protocol == HOP and not first:
            fault = sums.wrong("hop-by-hop options behind another header (RFC 8200, 4.1)")
        if protocol == FRAGMENT:
            place = int.from_bytes(header[2:4], "big")
            piece = Piece(int.from_bytes(header[4:8], "big"), place & 0xFFF8, bool(place & 1))
            if piece.more or piece.offset:
                return Chain(header[0], body, ends, fault, piece)
        ends = _ends(protocol, header, ends)
        protocol, first = header[0], False
    return Chain(protocol, body, ends, fault)


def _size(protocol: int, header: bytes) -> int:
    """Bytes of an extension header (RFC 8200, 4; RFC 4302, 2.2)."""
    if protocol == FRAGMENT or len(header) < 2:
        return 8
    return (header[1] + 2) * 4 if protocol == AH else (header[1] + 1) * 8


def _ends(protocol: int, header: bytes, ends: Ends) -> Ends:
    """The ends of the pseudo header, with the changes that a header makes to them."""
    if protocol == DESTINATION:
        home = _option(header[2:], OPTION_HOME)  # RFC 6275, 6.3
        return replace(ends, source=home) if len(home) == 16 else ends
    if protocol != ROUTING or not header[3]:
        return ends
    return replace(ends, destination=_last_stop(header))


def _last_stop(header: bytes) -> bytes:
    """The final destination (RFC 2460, 4.4: type 0; RFC 6275: 2; RFC 8754: 4), if known."""
    if header[2] in (0, 2):
        return header[-16:] if len(header) % 16 == 8 and len(header) > 8 else b""
    return header[8:24] if header[2] == 4 and len(header) >= 24 else b""
