"""Checksums of captures that are made by hand: each kind has its verdict, right or otherwise.

What cannot be judged is never right, and nothing is right because nobody looked.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from builder.lab.capture import files
from builder.lab.oracle import judge
from builder.lab.oracle.evidence import Evidence
from builder.lab.verdict import RowVerdict
from tests.support.lab import frames as made
from tests.support.lab import wire as hand
from tests.support.lab.frames import (
    AH,
    CLIENT4,
    CLIENT6,
    DATA,
    DESTINATION,
    FRAGMENT,
    HOP,
    ICMP,
    ICMPV6,
    NO_NEXT,
    ROUTING,
    SCTP,
    TCP,
    UDP,
    VIP4,
    VIP6,
    Kept,
    bare_tcp,
    bare_udp,
    ether,
    extension,
    fragment_header,
    fragments4,
    fragments6,
    ip4,
    ip6,
    partial,
    spoilt,
    summed,
    tcp4,
    tcp6,
    udp4,
    udp6,
)


def checksums(path: Path) -> RowVerdict:
    """The row of that name on this one capture."""
    run, topology = hand.proof()
    run = msgspec.structs.replace(run, rows=("checksums",))
    captures = {"client-outer": files.read(path, "client-outer").packets}
    evidence = Evidence(run, hand.SERIES, topology, (), captures, captures, (), {})
    (row,) = judge.judge(evidence, "").rows
    return row


LONG = bytes(range(256)) * 12
THREE = ((0, 1480), (1480, 2960), (2960, 3080))
LAST = "fd00:9::9"
ROUTE = struct.pack(">BBBBI", UDP, 2, 0, 1, 0) + made.packed(LAST)
"""A routing header of type 0 with one stop left."""
SEGMENTS = struct.pack(">BBBBI", UDP, 4, 4, 1, 0x01000000) + made.packed(LAST) + made.packed(VIP6)
"""A segment routing header with one segment left."""
JUMBO = b"\xc2\x04" + struct.pack(">I", 8 + 70_000)
SOURCE_ROUTE = b"\x83\x07\x04" + made.packed("10.9.9.9") + b"\0"
IGMP = b"\x16\0" + struct.pack(">H", made.checksum(b"\x16\0\0\0\xe0\0\0\x05")) + b"\xe0\0\0\x05"
AH4 = bytes((UDP, 4)) + bytes(22)
# RFC 9260, appendix A; the check value of CRC-32c for "123456789" is 0xe3069283
CRC = struct.pack(">HHI", 1, 2, 3)


def icmp4(quoted: bytes) -> bytes:
    return summed(ICMP, struct.pack(">BBHI", 3, 4, 0, 1300) + quoted, CLIENT4, VIP4)


def icmp6(quoted: bytes) -> bytes:
    return summed(ICMPV6, struct.pack(">BBHI", 2, 0, 0, 1300) + quoted, CLIENT6, VIP6)


def echo6() -> bytes:
    return summed(ICMPV6, struct.pack(">BBHI", 128, 0, 0, 1) + DATA, CLIENT6, VIP6)


Frames = Sequence[bytes | Kept]
RIGHT: dict[str, Frames] = {
    "udp": [ether(ip4(UDP, udp4())), ether(ip6(UDP, udp6()))],
    "tcp": [ether(ip4(TCP, tcp4())), ether(ip6(TCP, tcp6()))],
    "udp4-without-sum": [ether(ip4(UDP, bare_udp()))],
    "odd-length": [ether(ip4(UDP, udp4(b"odd")))],
    "padded": [ether(ip4(UDP, udp4(b"x"))) + bytes(17)],
    "udp-shorter-than-ip": [ether(ip4(UDP, udp4() + b"more"))],
    "icmp": [ether(ip4(ICMP, icmp4(ip4(TCP, tcp4())[:28]))), ether(ip6(ICMPV6, echo6()))],
    "icmp6-error": [ether(ip6(ICMPV6, icmp6(ip6(UDP, udp6(LONG))[:1232])))],
    "igmp": [ether(ip4(2, IGMP))],
    "options": [ether(ip4(UDP, udp4(), options=b"\x94\x04\0\0"))],
    "source-route": [
        ether(ip4(UDP, udp4(target="10.9.9.9"), options=SOURCE_ROUTE)),
    ],
    "source-route-behind-others": [
        ether(ip4(UDP, udp4(target="10.9.9.9"), options=b"\x01\x44\x04\x05\0" + SOURCE_ROUTE[:7])),
    ],
    "used-up-route": [
        ether(ip4(UDP, udp4(), options=SOURCE_ROUTE[:2] + b"\x08" + SOURCE_ROUTE[3:])),
    ],
    "options-without-end": [ether(ip4(UDP, udp4(), options=b"\x83\0\0\0"))],
    "authenticated4": [ether(ip4(AH, AH4 + udp4()))],
    "hop-by-hop": [ether(ip6(HOP, extension(ICMPV6) + echo6()))],
    "destination": [ether(ip6(DESTINATION, extension(UDP) + udp6()))],
    "authenticated6": [ether(ip6(AH, AH4 + udp6()))],
    "routed": [ether(ip6(ROUTING, ROUTE + udp6(target=LAST)))],
    "segments": [ether(ip6(ROUTING, SEGMENTS + udp6(target=LAST)))],
    "no-segment-left": [
        ether(ip6(ROUTING, SEGMENTS[:3] + b"\0" + SEGMENTS[4:] + udp6(target=VIP6)))
    ],
    "home-address": [
        ether(
            ip6(
                DESTINATION,
                extension(UDP, b"\x01\x02\0\0\xc9\x10" + made.packed(LAST)) + udp6(source=LAST),
            )
        )
    ],
    "home-address-behind-padding": [
        ether(
            ip6(
                DESTINATION,
                extension(UDP, b"\0\0\0\0\xc9\x10" + made.packed(LAST)) + udp6(source=LAST),
            )
        )
    ],
    "all-headers": [
        ether(
            ip6(
                HOP,
                extension(DESTINATION) + extension(AH) + AH4 + udp6(),
            )
        )
    ],
    "atomic-fragment": [ether(ip6(FRAGMENT, fragment_header(UDP, 0, False) + udp6()))],
    "vlan": [ether(ip4(UDP, udp4()), (0x8100, 5)), ether(ip6(UDP, udp6()), (0x8100, 4095))],
    "qinq": [ether(ip4(UDP, udp4()), (0x88A8, 5), (0x8100, 6))],
    "old-qinq": [ether(ip6(UDP, udp6()), (0x9100, 5), (0x8100, 6))],
    "length-0": [ether(ip4(TCP, tcp4(LONG), length=0)), ether(ip6(TCP, tcp6(LONG), length=0))],
    "jumbo": [ether(ip6(HOP, extension(UDP, JUMBO) + udp6(bytes(69_992)), length=0))],
    "fragments4": fragments4(udp4(LONG), THREE),
    "fragments6": fragments6(udp6(LONG), THREE),
    "out-of-order4": fragments4(udp4(LONG), THREE[::-1]),
    "out-of-order6": fragments6(udp6(LONG), (THREE[1], THREE[2], THREE[0])),
    "twice-the-same4": fragments4(udp4(LONG), (THREE[0], THREE[0], *THREE[1:])),
    "twice-the-same6": fragments6(udp6(LONG), (*THREE[:2], THREE[1], THREE[2])),
    "late-duplicate": fragments6(udp6(LONG), (*THREE, THREE[1])),
    "overlap-of-the-same4": fragments4(udp4(LONG), ((0, 1480), (1000, 2960), (2960, 3080))),
    "fragments4-without-sum": fragments4(bare_udp(LONG), THREE),
    "tiny-first4": fragments4(udp4(LONG), ((0, 8), (8, 3080))),
    "number-used-again": [*fragments4(udp4(LONG), THREE), *fragments4(udp4(LONG[::-1]), THREE)],
    "two-at-a-time": [
        frame
        for pair in zip(
            fragments4(udp4(LONG), THREE),
            fragments4(udp4(LONG[::-1]), THREE, ident=8),
            strict=True,
        )
        for frame in pair
    ],
    "tunnelled": [
        ether(ip4(4, ip4(UDP, udp4()))),
        ether(ip4(41, ip6(UDP, udp6()))),
        ether(ip6(41, ip6(UDP, udp6()))),
    ],
    "only-padding-cut": [Kept(ether(ip4(UDP, udp4(b"x"))) + bytes(17), 44)],
}
WRONG: dict[str, Frames] = {
    "udp": [ether(ip4(UDP, spoilt(udp4())))],
    "udp6-without-sum": [ether(ip6(UDP, bare_udp()))],
    "udp6-without-sum-tagged": [ether(ip6(UDP, bare_udp()), (0x8100, 5))],
    "udp6-without-sum-behind-options": [ether(ip6(HOP, extension(UDP) + bare_udp()))],
    "udp6-without-sum-in-fragments": fragments6(bare_udp(LONG), THREE),
    "udp6-without-sum-cut": [Kept(ether(ip6(UDP, bare_udp(LONG))), 200)],
    "ipv4-header": [ether(ip4(UDP, udp4())[:8] + b"\x3f" + ip4(UDP, udp4())[9:])],
    "behind-options": [ether(ip6(DESTINATION, extension(UDP) + spoilt(udp6())))],
    "behind-hop-by-hop": [ether(ip6(HOP, extension(ICMPV6) + spoilt(echo6())))],
    "for-the-next-stop": [ether(ip6(ROUTING, ROUTE + udp6(target=VIP6)))],
    "authenticated": [ether(ip4(AH, AH4 + spoilt(udp4())))],
    "atomic-fragment": [ether(ip6(FRAGMENT, fragment_header(UDP, 0, False) + spoilt(udp6())))],
    "hop-by-hop-too-late": [
        ether(ip6(DESTINATION, extension(HOP) + extension(UDP) + udp6())),
    ],
    "tagged": [ether(ip4(UDP, spoilt(udp4())), (0x88A8, 5), (0x8100, 6))],
    "icmpv6-without-pseudo-header": [
        ether(ip6(ICMPV6, summed(ICMP, struct.pack(">BBHI", 128, 0, 0, 1), "", "")))
    ],
    "icmp-error": [ether(ip4(ICMP, spoilt(icmp4(ip4(TCP, tcp4())[:28]))))],
    "igmp": [ether(ip4(2, spoilt(IGMP)))],
    "length-0": [ether(ip4(TCP, spoilt(tcp4(LONG)), length=0))],
    "jumbo": [ether(ip6(HOP, extension(UDP, JUMBO) + spoilt(udp6(bytes(69_992))), length=0))],
    "jumbo-with-length": [ether(ip6(HOP, extension(UDP, JUMBO) + udp6()))],
    "jumbo-too-short": [ether(ip6(HOP, extension(UDP, b"\xc2\x04\0\0\0\x26") + udp6(), length=0))],
    "fragments4": fragments4(spoilt(udp4(LONG)), THREE),
    "fragments6": fragments6(spoilt(udp6(LONG)), THREE),
    "overlap6": fragments6(udp6(LONG), ((0, 1480), (1472, 2960), (2960, 3080))),
    "differing-duplicate6": [
        *fragments6(udp6(LONG), THREE[:2]),
        *fragments6(spoilt(udp6(LONG)[:2960]) + udp6(LONG)[2960:], (THREE[1], THREE[2])),
    ],
    "headers-in-the-second6": fragments6(
        extension(UDP) + udp6(LONG), ((0, 8), (8, 3088)), DESTINATION
    ),
    "half-a-header-in-the-first6": fragments6(
        summed(TCP, bare_tcp(LONG), CLIENT6, VIP6), ((0, 16), (16, 3092)), TCP
    ),
    "odd-piece": fragments4(udp4(LONG), ((0, 1480), (1480, 2963), (2960, 3080))),
    "behind-the-last": [
        *fragments4(udp4(LONG), THREE[:1]),
        *fragments4(udp4(LONG)[:2960], THREE[1:2]),
        *fragments4(udp4(LONG), THREE[2:]),
    ],
    "two-last-ones": [
        *fragments4(udp4(LONG), (THREE[0], THREE[2])),
        *fragments4(udp4(LONG)[:2960], THREE[1:2]),
    ],
    "fragmented-twice": fragments6(
        fragment_header(UDP, 0, True) + udp6(LONG), ((0, 1480), (1480, 3088)), FRAGMENT
    ),
    "fragment-of-a-jumbogram": [
        ether(
            ip6(
                HOP,
                extension(FRAGMENT, JUMBO) + fragment_header(UDP, 0, True) + bytes(69_984),
                length=0,
            )
        )
    ],
    "larger-than-any": [
        *fragments4(bytes(65_528), ((0, 32_768), (32_768, 65_528))),
    ],
    "shorter-than-its-length": [ether(ip4(UDP, udp4()))[:-4], ether(ip6(UDP, udp6()))[:-4]],
    "udp-length-beyond": [ether(ip4(UDP, bare_udp()[:4] + b"\xff\xff" + bare_udp()[6:]))],
    "tcp-offset-too-small": [
        ether(ip4(TCP, summed(TCP, bare_tcp()[:12] + b"\x40" + bare_tcp()[13:], CLIENT4, VIP4)))
    ],
    "sctp-too-short": [ether(ip4(SCTP, CRC))],
    "tcp-header-broken": [
        ether(ip4(TCP, summed(TCP, b"\0" * 12 + b"\xf0" + bytes(27), CLIENT4, VIP4)))
    ],
    "no-whole-ip": [made.MACS + b"\x08\x00" + b"\x45\0\0"],
    "another-version": [made.MACS + b"\x08\x00" + ip6(UDP, udp6())],
    "chain-without-end": [ether(ip6(HOP, extension(DESTINATION)))],
    "tunnelled": [ether(ip4(4, ip4(UDP, spoilt(udp4())))), ether(ip4(41, ip6(UDP, bare_udp())))],
    "sctp": [ether(ip4(SCTP, CRC + bytes(4) + DATA))],
}
UNDECIDED: dict[str, tuple[Frames, str]] = {
    "cut4": ([Kept(ether(ip4(UDP, udp4(LONG))), 96)], "cut capture"),
    "cut6": ([Kept(ether(ip6(TCP, tcp6(LONG))), 96)], "cut capture"),
    "cut-in-udp-without-sum": ([Kept(ether(ip4(UDP, bare_udp(LONG))), 96)], "cut capture"),
    "cut-in-transport": ([Kept(ether(ip4(TCP, tcp4())), 40)], "cut capture"),
    "cut-in-ip": ([Kept(ether(ip4(TCP, tcp4())), 30)], "cut capture"),
    "cut-in-extensions": (
        [Kept(ether(ip6(HOP, extension(DESTINATION) + extension(UDP) + udp6())), 66)],
        "cut capture",
    ),
    "cut-in-tag": ([Kept(ether(ip4(UDP, udp4()), (0x8100, 5)), 15)], "cut capture"),
    "cut-in-ethernet": ([Kept(ether(ip4(UDP, udp4())), 10)], "cut capture"),
    "cut-by-a-byte": ([Kept(ether(ip4(UDP, udp4())), 63)], "cut capture"),
    "cut-icmp": ([Kept(ether(ip6(ICMPV6, icmp6(ip6(UDP, udp6(LONG))))), 128)], "cut capture"),
    "cut-length-0": ([Kept(ether(ip4(TCP, tcp4(LONG), length=0)), 96)], "cut capture"),
    "cut-fragment": (
        [
            *fragments4(udp4(LONG), THREE[:1]),
            Kept(fragments4(udp4(LONG), THREE[1:2])[0], 96),
            *fragments4(udp4(LONG), THREE[2:]),
        ],
        "cut capture",
    ),
    "cut-tunnel": ([Kept(ether(ip4(4, ip4(UDP, udp4(LONG)))), 96)], "cut capture"),
    "cut-sctp": ([Kept(ether(ip4(SCTP, CRC + bytes(4) + LONG)), 96)], "cut capture"),
    "missing-first4": (fragments4(udp4(LONG), THREE[1:]), "bytes 0 to 1479"),
    "missing-middle6": (fragments6(udp6(LONG), THREE[::2]), "bytes 1480 to 2959"),
    "missing-last4": (fragments4(udp4(LONG), THREE[:2]), "the bytes from 2960"),
    "differing-overlap4": (
        [
            *fragments4(udp4(LONG), THREE[:2]),
            *fragments4(spoilt(udp4(LONG)[:2960]) + udp4(LONG)[2960:], (THREE[1], THREE[2])),
        ],
        "overlapping fragments that differ",
    ),
    "partial-tcp4": ([ether(ip4(TCP, partial(TCP, bare_tcp(), CLIENT4, VIP4)))], "sending card"),
    "partial-udp6": ([ether(ip6(UDP, partial(UDP, bare_udp(), CLIENT6, VIP6)))], "sending card"),
    "partial-length-0": (
        [ether(ip6(TCP, partial(TCP, bare_tcp(LONG), CLIENT6, VIP6), length=0))],
        "sending card",
    ),
    "unknown-route": (
        [ether(ip6(ROUTING, ROUTE[:2] + b"\x03" + ROUTE[3:] + udp6(target=LAST)))],
        "last stop",
    ),
    "fragment-in-a-tunnel": (
        [ether(ip4(4, ip4(UDP, udp4(LONG)[:1400], more=True)))],
        "a fragment inside a tunnel",
    ),
}
NOTHING: dict[str, Frames] = {
    "no-next-header": [ether(ip6(NO_NEXT, b""))],
    "encrypted": [ether(ip4(50, DATA)), ether(ip6(HOP, extension(50) + DATA))],
    "unknown-protocol": [ether(ip4(89, DATA))],
    "arp-alone": [made.MACS + b"\x08\x06" + bytes(46)],
    "another-type": [made.MACS + b"\x88\x47" + bytes(46)],
    "empty": [],
}


@pytest.mark.parametrize("name", RIGHT)
def test_right(tmp_path: Path, name: str) -> None:
    row = checksums(made.pcap(tmp_path / "x.pcap", RIGHT[name]))
    assert row.outcome == "pass", row


@pytest.mark.parametrize("name", WRONG)
def test_wrong(tmp_path: Path, name: str) -> None:
    row = checksums(made.pcap(tmp_path / "x.pcap", WRONG[name]))
    assert row.outcome == "fail", row
    assert row.faults[0].packets, "it shows the packets"


@pytest.mark.parametrize("name", UNDECIDED)
def test_undecided(tmp_path: Path, name: str) -> None:
    frames, words = UNDECIDED[name]
    row = checksums(made.pcap(tmp_path / "x.pcap", frames))
    assert row.outcome == "undecided", row
    assert words in row.faults[0].expected


@pytest.mark.parametrize("name", NOTHING)
def test_nothing_to_judge_proves_nothing(tmp_path: Path, name: str) -> None:
    row = checksums(made.pcap(tmp_path / "x.pcap", NOTHING[name]))
    assert row.outcome == "fail", row
    assert row.faults[0].expected == "a packet with a checksum in some capture"


def test_what_was_not_judged_is_told_beside_what_was(tmp_path: Path) -> None:
    frames = [ether(ip4(UDP, udp4())), ether(ip4(89, DATA))]
    row = checksums(made.pcap(tmp_path / "x.pcap", frames))
    assert row.outcome == "pass"
    assert row.seen == "1 packets; not judged: no checksum of protocol 89 is known here"


def test_one_wrong_sum_among_undecided_ones_is_wrong(tmp_path: Path) -> None:
    frames: Frames = [Kept(ether(ip4(UDP, udp4(LONG))), 96), ether(ip4(UDP, spoilt(udp4())))]
    assert checksums(made.pcap(tmp_path / "x.pcap", frames)).outcome == "fail"


def test_sctp_is_judged_by_its_own_sum(tmp_path: Path) -> None:
    """The check value of CRC-32c, in the order in which RFC 9260 has its bytes."""
    crc = 0xFFFFFFFF
    for byte in CRC + bytes(4) + DATA:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    body = CRC + struct.pack("<I", ~crc & 0xFFFFFFFF) + DATA
    row = checksums(made.pcap(tmp_path / "x.pcap", [ether(ip4(SCTP, body))]))
    assert row.outcome == "pass", row
