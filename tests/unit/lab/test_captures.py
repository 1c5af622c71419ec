"""Captures that are made by hand: files, links, tags, and datagrams in fragments."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from builder.errors import SmokeError
from builder.lab.capture import files, pcapng
from builder.lab.capture.packet import Packet
from tests.support.lab import frames as made
from tests.support.lab.frames import (
    CLIENT6,
    DATA,
    DESTINATION,
    FRAGMENT,
    HOP,
    ICMPV6,
    TCP,
    UDP,
    VIP6,
    Kept,
    ether,
    extension,
    fragment_header,
    fragments4,
    fragments6,
    ip4,
    ip6,
    summed,
    tcp4,
    udp4,
    udp6,
)

LONG = bytes(range(256)) * 12
THREE = ((0, 1480), (1480, 2960), (2960, 3080))
ENDS4 = ("10.0.1.2", 50026, "10.0.1.1", 53)
ENDS6 = ("fd00:1::2", 50026, "fd00:1::1", 53)
FRAMES: list[bytes | Kept] = [ether(ip4(UDP, udp4())), ether(ip6(UDP, udp6()))]


def packets(path: Path) -> tuple[Packet, ...]:
    return files.read(path, "client-outer").packets


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize(("magic", "time"), [(0xA1B2C3D4, 1000.000001), (0xA1B23C4D, 1000 + 1e-9)])
def test_pcap_of_each_byte_order_and_resolution(
    tmp_path: Path, order: str, magic: int, time: float
) -> None:
    path = made.pcap(tmp_path / "x.pcap", FRAMES, order=order, magic=magic)
    found = packets(path)
    assert [packet.ends for packet in found] == [ENDS4, ENDS6]
    assert all(packet.sums_right for packet in found)
    assert found[1].time == time
    assert [frame.offset for frame in files.frames(path)][-1] == path.stat().st_size


@pytest.mark.parametrize("order", "<>")
def test_pcapng_of_each_byte_order(tmp_path: Path, order: str) -> None:
    path = made.pcapng(tmp_path / "x.pcapng", FRAMES, order=order)
    assert [packet.ends for packet in packets(path)] == [ENDS4, ENDS6]
    assert [frame.offset for frame in files.frames(path)][-1] == path.stat().st_size
    assert packets(path)[1].time == 1000 + 1e-9


def test_pcapng_whose_sections_differ(tmp_path: Path) -> None:
    """Files may be joined by cat (draft, 3.1): interfaces are numbered anew in each section."""
    both = tmp_path / "x.pcapng"
    parts = [made.pcapng(tmp_path / f"{order}.pcapng", FRAMES, order=order) for order in "<>"]
    both.write_bytes(b"".join(part.read_bytes() for part in parts))
    assert [packet.ends for packet in packets(both)] == [ENDS4, ENDS6] * 2
    assert [packet.frame for packet in packets(both)] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("block", "words"),
    [
        (struct.pack("<III", 6, 8, 8), "a block of 8 bytes"),
        (struct.pack("<IIII", 6, 16, 0, 20), "another length"),
        (made.block("<", 6, struct.pack("<5I", 9, 0, 0, 0, 0)), "interface 9"),
        (made.block("<", 6, struct.pack("<5I", 1, 0, 0, 99, 99)), "longer than its block"),
        (made.block("<", 6, b""), "too short"),
        (made.block("<", 3, struct.pack("<I", 4) + b"abcd"), "link type"),
    ],
)
def test_pcapng_that_is_damaged_is_not_judged(tmp_path: Path, block: bytes, words: str) -> None:
    path = made.pcapng(tmp_path / "x.pcapng", [])
    data = path.read_bytes()
    if words == "link type":
        data = data.replace(struct.pack("<HHI", 113, 0, 0), struct.pack("<HHI", 105, 0, 0))
    path.write_bytes(data + block)
    with pytest.raises(SmokeError, match="cannot be judged") as caught:
        files.read(path, "client-outer")
    assert words in caught.value.cause


def test_old_blocks_of_pcapng_are_read(tmp_path: Path) -> None:
    path = made.pcapng(tmp_path / "x.pcapng", [])
    data = path.read_bytes().replace(struct.pack("<HHI", 113, 0, 0), struct.pack("<HHI", 1, 0, 0))
    old = made.block("<", 2, struct.pack("<2H4I", 1, 0, 0, 7, 64, 64) + ether(FOUR))
    simple = made.block("<", 3, struct.pack("<I", len(ether(SIX))) + ether(SIX))
    path.write_bytes(data + old + simple)
    assert len(ether(FOUR)) == 64
    found = packets(path)
    assert [packet.ends for packet in found] == [ENDS4, ENDS6]
    assert all(packet.sums_right for packet in found)


def test_what_the_lab_writes_for_people_is_read_again_cut_frames_too(tmp_path: Path) -> None:
    kept: list[bytes | Kept] = [*FRAMES, Kept(ether(ip4(UDP, udp4(LONG))), 96)]
    first = made.pcap(tmp_path / "x.pcap", kept)
    second = tmp_path / "x.pcapng"
    pcapng.write(second, "client:eth0", "", {"10.0.1.2": "client"}, files.frames(first))
    assert [str(packet) for packet in packets(second)] == [str(one) for one in packets(first)]
    assert [packet.cut for packet in packets(second)] == [False, False, True]


@pytest.mark.parametrize("size", [2, 10, 30, 50, 100, 230])
@pytest.mark.parametrize("writer", [made.pcap, made.pcapng])
def test_a_file_that_ends_early_is_not_judged(tmp_path: Path, size: int, writer: object) -> None:
    assert callable(writer)
    path = writer(tmp_path / "x", [*FRAMES, *FRAMES])
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(SmokeError, match="cannot be judged"):
        files.read(path, "client-outer")


def sll(packet: bytes, kind: int) -> bytes:
    return (
        struct.pack(">HHH", 0, 1, 6) + made.MACS[6:] + bytes(2) + struct.pack(">H", kind) + packet
    )


def sll2(packet: bytes, kind: int) -> bytes:
    head = struct.pack(">HHIHBB", kind, 0, 2, 1, 0, 6)
    return head + made.MACS[6:] + bytes(2) + packet


TAG = struct.pack(">HH", 5, 0x0800)
FOUR, SIX = ip4(UDP, udp4()), ip6(UDP, udp6())


@pytest.mark.parametrize(
    ("link", "frames", "mac"),
    [
        (101, [FOUR, SIX], ""),
        (12, [FOUR, SIX], ""),
        (228, [FOUR], ""),
        (229, [SIX], ""),
        (0, [b"\x02\0\0\0" + FOUR, b"\0\0\0\x1e" + SIX], ""),
        (113, [sll(FOUR, 0x0800), sll(SIX, 0x86DD), sll(TAG + FOUR, 0x8100)], "52:54:00:00:00:02"),
        (
            276,
            [sll2(FOUR, 0x0800), sll2(SIX, 0x86DD), sll2(TAG + FOUR, 0x8100)],
            "52:54:00:00:00:02",
        ),
        (1 | 0xA000_0000, [ether(FOUR) + b"\1\2\3\4"], "52:54:00:00:00:02"),
        (1, [made.MACS + b"\0\x32\xaa\xaa\x03\0\0\0\x08\0" + FOUR], "52:54:00:00:00:02"),
    ],
)
def test_links(tmp_path: Path, link: int, frames: list[bytes], mac: str) -> None:
    found = packets(made.pcap(tmp_path / "x.pcap", frames, link=link))
    assert len(found) == len(frames)
    assert {packet.ends for packet in found} <= {ENDS4, ENDS6}
    assert all(packet.sums_right and packet.mac == mac for packet in found)


def test_a_link_type_that_is_not_known_is_said_so(tmp_path: Path) -> None:
    path = made.pcap(tmp_path / "x.pcap", [b"\0" * 60], link=105)
    with pytest.raises(SmokeError, match="cannot be judged") as caught:
        files.read(path, "client-outer")
    assert "link type is 105" in caught.value.cause


def test_tags_are_told_from_the_outer_to_the_inner(tmp_path: Path) -> None:
    frames = [ether(FOUR, (0x88A8, 0x6005), (0x8100, 6)), ether(SIX, (0x8100, 7)), ether(FOUR)]
    found = packets(made.pcap(tmp_path / "x.pcap", frames))
    assert [packet.vlans for packet in found] == [(5, 6), (7,), ()]
    assert [packet.ends for packet in found] == [ENDS4, ENDS6, ENDS4]


@pytest.mark.parametrize(
    ("frames", "ends"),
    [(fragments4(udp4(LONG), THREE), ENDS4), (fragments6(udp6(LONG), THREE), ENDS6)],
)
def test_a_datagram_follows_its_last_fragment(
    tmp_path: Path, frames: list[bytes], ends: tuple[str, int, str, int]
) -> None:
    found = packets(made.pcap(tmp_path / "x.pcap", frames))
    assert [packet.protocol for packet in found] == ["fragment udp"] * 3 + ["udp"]
    whole = found[-1]
    assert (whole.ends, whole.payload, whole.frames) == (ends, LONG, (1, 2, 3))
    assert (whole.frame, whole.piece) == (3, None)
    assert [packet.ends == ends for packet in found] == [True, False, False, True]
    assert str(whole).endswith("udp 3072 bytes in fragments #1, #2, #3")
    assert found[1].detail == "fragment udp bytes 1480 to 2959"
    assert all(packet.sums_right for packet in found)


def test_fragments_of_links_that_share_a_capture_are_kept_apart(tmp_path: Path) -> None:
    packets_of = [frame[14:] for frame in fragments4(udp4(LONG), THREE)]
    frames = [ether(packets_of[0], (0x8100, 5)), *map(ether, packets_of[1:])]
    found = packets(made.pcap(tmp_path / "x.pcap", frames))
    assert {packet.sums.verdict for packet in found} == {"undecided"}


def test_fragments_that_come_a_minute_later_are_of_another_datagram(tmp_path: Path) -> None:
    path = made.pcap(tmp_path / "x.pcap", fragments4(udp4(LONG), THREE))
    data = bytearray(path.read_bytes())
    last = [frame.offset for frame in files.frames(path)][1]
    data[last : last + 4] = struct.pack("<I", 1061)
    path.write_bytes(data)
    assert {packet.sums.verdict for packet in packets(path)} == {"undecided"}


def test_a_segment_in_fragments_is_one_of_its_connection(tmp_path: Path) -> None:
    body = tcp4(LONG)
    frames = [
        ether(ip4(TCP, body[:800], more=True)),
        ether(ip4(TCP, body[800:], offset=800)),
    ]
    whole = packets(made.pcap(tmp_path / "x.pcap", frames))[-1]
    assert (whole.protocol, whole.sequence, whole.payload) == ("tcp", 1000, LONG)


QUOTED = [
    ip6(HOP, extension(DESTINATION) + extension(UDP) + udp6()),
    ip6(FRAGMENT, fragment_header(UDP, 0, True) + udp6(LONG)[:1200]),
    ip6(UDP, udp6()[:4]),
]


@pytest.mark.parametrize("quoted", QUOTED)
def test_errors_quote_ports_behind_extension_headers(tmp_path: Path, quoted: bytes) -> None:
    error = summed(ICMPV6, struct.pack(">BBHI", 2, 0, 0, 1300) + quoted, VIP6, CLIENT6)
    (found,) = packets(
        made.pcap(tmp_path / "x.pcap", [ether(ip6(ICMPV6, error, source=VIP6, target=CLIENT6))])
    )
    assert (found.protocol, found.icmp, found.quoted) == ("icmpv6", "type 2 code 0", ENDS6)


def test_a_quoted_fragment_but_the_first_has_no_ports(tmp_path: Path) -> None:
    quoted = ip6(FRAGMENT, fragment_header(UDP, 1480, True) + DATA)
    error = summed(ICMPV6, struct.pack(">BBHI", 2, 0, 0, 1300) + quoted, VIP6, CLIENT6)
    frame = ether(ip6(ICMPV6, error, source=VIP6, target=CLIENT6))
    (found,) = packets(made.pcap(tmp_path / "x.pcap", [frame]))
    assert found.quoted == (CLIENT6, 0, VIP6, 0)
