"""Damaged captures: no bytes break the reader, and no damaged content is right."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from builder.lab.capture import decoding
from builder.lab.capture.packet import Packet
from builder.lab.capture.record import Frame
from tests.support.lab.frames import (
    AH,
    DESTINATION,
    HOP,
    TCP,
    UDP,
    Kept,
    ether,
    extension,
    fragments4,
    fragments6,
    ip4,
    ip6,
    tcp4,
    tcp6,
    udp4,
    udp6,
)
from tests.unit.lab.test_sums import AH4, LONG, RIGHT, ROUTE, UNDECIDED, WRONG

LINKS = (1, 1, 1, 1, 0, 101, 113, 228, 276)
NUMBERS = (0, 1, 4, 6, 17, 41, 43, 44, 51, 59, 60, 255)
LARGEST = 5000


def packets(frames: list[bytes]) -> list[Packet]:
    found = (Frame(at, 1000.0, data, at, len(data)) for at, data in enumerate(frames, 1))
    return [packet for packet, _ in decoding.decode("client-outer", found)]


def damaged(data: bytes, chance: random.Random) -> bytes:
    """A few bytes are others, mostly in the headers, and sometimes the end is missing."""
    raw = bytearray(data)
    for _ in range(chance.choice((0, 1, 1, 2, 5))):
        place = chance.randrange(min(len(raw), 80) if chance.random() < 0.7 else len(raw))
        raw[place] = chance.choice((*NUMBERS, chance.randrange(256)))
    return bytes(raw[: chance.randrange(len(raw) + 1)] if chance.random() < 0.3 else raw)


def known() -> Iterator[list[bytes]]:
    """The frames of all hand-made captures, but for the very long ones."""
    for frames in (*RIGHT.values(), *WRONG.values(), *(one[0] for one in UNDECIDED.values())):
        whole = [one.frame if isinstance(one, Kept) else one for one in frames]
        if whole and max(map(len, whole)) < LARGEST:
            yield whole


@pytest.mark.parametrize("seed", range(4))
def test_no_bytes_break_the_reader(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - the same in every run
    pool = list(known())
    for _ in range(200):
        frames = []
        for number, one in enumerate(chance.choice(pool), 1):
            data = damaged(one, chance)
            wire = chance.choice((len(one), len(data)))
            link = chance.choice(LINKS)
            frames.append(Frame(number, 1000.0, data, number, max(wire, len(data)), link))
        for packet, _ in decoding.decode("client-outer", frames):
            assert str(packet)
            assert packet.sums.right or packet.sums.why


# Frames that are right, and how many bytes of each are headers that no checksum covers.
COVERED = {
    "udp4": ([ether(ip4(UDP, udp4()))], 14),
    "udp6": ([ether(ip6(UDP, udp6()))], 54),
    "tcp4": ([ether(ip4(TCP, tcp4()))], 14),
    "tcp6": ([ether(ip6(TCP, tcp6()))], 54),
    "tagged": ([ether(ip4(UDP, udp4()), (0x8100, 5))], 18),
    "options": ([ether(ip4(UDP, udp4(), options=b"\x94\x04\0\0"))], 14),
    "behind-options": ([ether(ip6(HOP, extension(DESTINATION) + extension(UDP) + udp6()))], 70),
    "routed": ([ether(ip6(43, ROUTE + udp6(target="fd00:9::9")))], 78),
    "authenticated": ([ether(ip6(AH, AH4 + udp6()))], 78),
    "fragments4": (fragments4(udp4(LONG[:600]), ((0, 200), (200, 608))), 14),
    "fragments6": (fragments6(udp6(LONG[:600]), ((0, 200), (200, 608))), 62),
    "tunnelled": ([ether(ip4(4, ip4(UDP, udp4())))], 14),
}


@pytest.mark.parametrize("name", COVERED)
def test_no_bit_of_what_is_covered_can_change(name: str) -> None:
    frames, bare = COVERED[name]
    assert all(packet.sums_right for packet in packets(frames))
    for number, frame in enumerate(frames):
        for at in range(bare, len(frame), 1 if len(frames) == 1 else 7):
            bit = 1 << (at * 5 + number) % 8
            spoilt = frame[:at] + bytes((frame[at] ^ bit,)) + frame[at + 1 :]
            found = packets([*frames[:number], spoilt, *frames[number + 1 :]])
            assert not all(packet.sums_right for packet in found), at
