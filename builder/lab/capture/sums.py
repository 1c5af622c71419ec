"""Checksums and verdicts on them (RFC 1071; RFC 768, 9293, 4443, 9260, 8200 8.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import dpkt

SumVerdict = Literal["right", "none", "undecided", "wrong"]
ORDER: tuple[SumVerdict, ...] = ("right", "none", "undecided", "wrong")
"""The later one prevails where several parts of a packet are judged."""
ICMP, IGMP, TCP, UDP, ICMPV6, SCTP = 1, 2, 6, 17, 58, 132
PARTIAL = "the checksum is that of the pseudo header alone: it is left to the sending card"
TCP_FIELD, UDP_FIELD, SCTP_FIELD = 16, 6, 8
"""Where the checksum is, in bytes from the header's begin."""


@dataclass(frozen=True)
class Sums:
    """The verdict on all checksums of a packet, with the reason if it is not ``right``.

    ``none``: the content has no checksum, or none that is known here.  ``undecided``: it has one,
    but the capture lacks what is needed to judge it.
    """

    verdict: SumVerdict
    why: str = ""

    @property
    def right(self) -> bool:
        return self.verdict == "right"


RIGHT = Sums("right")
CUT = Sums("undecided", "cut capture: the packet was longer than what was captured")


def wrong(why: str) -> Sums:
    return Sums("wrong", why)


def undecided(why: str) -> Sums:
    return Sums("undecided", why)


def worst(*parts: Sums) -> Sums:
    """The verdict on a whole: that of its worst part, the first one if there are several."""
    return max(parts, key=lambda one: ORDER.index(one.verdict), default=RIGHT)


def holds(data: bytes) -> bool:
    """Whether data with its checksum in it adds up (RFC 1071)."""
    return not folded(data)


def folded(data: bytes) -> int:
    """The ones' complement sum of 16-bit words, with 0xFFFF as 0 (RFC 1071, 2).

    The remainder of one long number is the same, as 2 to the 16th is 1 modulo 0xFFFF.
    """
    return (int.from_bytes(data, "big") << (8 if len(data) & 1 else 0)) % 0xFFFF


@dataclass(frozen=True)
class Ends:
    """What a pseudo header is made of: the first sender and the last receiver, packed.

    They differ from IP's own where the packet is routed by its source (RFC 8200, 8.1).
    ``destination`` is empty where the last stop is not known.  ``unsized``: IP's header has no
    length: the card had yet to segment the packet (TSO), or it is a jumbogram (RFC 2675).
    """

    source: bytes
    destination: bytes
    unsized: bool = False

    def pseudo(self, number: int, length: int) -> bytes:
        """The pseudo header (RFC 9293, 3.1; RFC 8200, 8.1); ``length`` in bytes."""
        if len(self.source) == 4:
            return self.source + self.destination + bytes((0, number)) + _low(length)
        return self.source + self.destination + length.to_bytes(4, "big") + bytes((0, 0, 0, number))


def _low(length: int) -> bytes:
    """The two length bytes of IPv4's pseudo header; a longer packet is left to a card."""
    return (length & 0xFFFF).to_bytes(2, "big")


def judge(number: int, body: bytes, ends: Ends, cut: bool) -> Sums:
    """The verdict on protocol ``number``'s checksum in ``body``, the whole content of IP.

    ``cut``: the capture has only the beginning of it.
    """
    if number not in (ICMP, IGMP, TCP, UDP, ICMPV6, SCTP):
        return Sums("none", f"no checksum of protocol {number} is known here")
    if number == UDP:
        return _udp(body, ends, cut)
    if cut:
        return CUT
    if number == SCTP:
        return _sctp(body)
    if number in (ICMP, IGMP):
        return RIGHT if holds(body) else wrong("the checksum is wrong")
    return _with_pseudo(number, body, ends, TCP_FIELD if number == TCP else 2)


def _with_pseudo(number: int, body: bytes, ends: Ends, field: int) -> Sums:
    if not ends.destination:
        return undecided("the last stop of a routing header is not known")
    if holds(ends.pseudo(number, len(body)) + body):
        return RIGHT
    stored = int.from_bytes(body[field : field + 2], "big")
    lengths = (len(body), 0) if ends.unsized else (len(body),)
    alone = [~dpkt.in_cksum(ends.pseudo(number, length)) & 0xFFFF for length in lengths]
    if number != ICMPV6 and stored in alone:
        return undecided(PARTIAL)
    return wrong("the checksum is wrong")


def _udp(body: bytes, ends: Ends, cut: bool) -> Sums:
    if len(body) < 8:
        return CUT if cut else wrong("shorter than a UDP header")
    length = int.from_bytes(body[4:6], "big")
    six = len(ends.source) == 16
    whole = not length and ends.unsized  # RFC 2675, 4
    if not whole and (length < 8 or (length > len(body) and not cut)):
        return wrong(f"UDP's length is {length}, and {len(body)} bytes are there")
    if body[6:8] == b"\0\0":
        if six:
            return wrong("no UDP checksum, which IPv6 forbids (RFC 8200, 8.1)")
        return CUT if cut else RIGHT  # RFC 768: the sender made none
    if cut and (whole or length > len(body)):
        return CUT
    return _with_pseudo(UDP, body if whole else body[:length], ends, UDP_FIELD)


def _sctp(body: bytes) -> Sums:
    if len(body) < 12:
        return wrong("shorter than an SCTP header")
    stored = body[SCTP_FIELD : SCTP_FIELD + 4]
    zeroed = body[:SCTP_FIELD] + bytes(4) + body[SCTP_FIELD + 4 :]
    sound = int(dpkt.crc32c.cksum(zeroed)).to_bytes(4, "big")
    return RIGHT if stored == sound else wrong("the CRC-32c is wrong (RFC 9260, 6.8)")
