"""Packets one after the other are the same as all at once, and the short way reads as the long."""

from __future__ import annotations

import random

import pytest

from builder.lab.capture import decoding
from builder.lab.capture.record import Frame
from builder.lab.capture.usual import usual
from tests.support.lab.frames import ether, fragments4, tcp4, tcp6, udp4, udp6
from tests.support.lab.frames import ip4 as four
from tests.support.lab.frames import ip6 as six
from tests.unit.lab.test_damage import damaged, known

USUAL = [
    ether(four(6, tcp4())),
    ether(four(17, udp4())),
    ether(six(6, tcp6())),
    ether(six(17, udp6())),
    ether(four(6, tcp4(b"odd"))) + bytes(9),
]


def numbered(raw: list[bytes]) -> list[Frame]:
    return [Frame(at, 1000.0, data, at, len(data)) for at, data in enumerate(raw, 1)]


@pytest.mark.parametrize("seed", range(4))
def test_the_short_way_reads_what_the_long_one_reads(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(seed)  # noqa: S311 - no secret
    raw = USUAL + [damaged(one, chance) for one in USUAL * 60]
    raw += [damaged(one, chance) for frames in known() for one in frames]
    short = {one.number: found for one in numbered(raw) if (found := usual("x", one)) is not None}
    assert len(short) >= len(USUAL), "usual frames go the short way"
    monkeypatch.setattr(decoding, "usual", lambda *_: None)
    long = {packet.frame: packet for packet, _ in decoding.decode("x", numbered(raw))}
    assert short == {number: long[number] for number in short}


def test_streamed_packets_are_those_of_the_whole_capture() -> None:
    for raw in known():
        whole = [packet for packet, _ in decoding.decode("x", numbered(raw))]
        assert list(decoding.stream("x", numbered(raw))) == whole


def test_what_lacks_a_fragment_waits_no_longer_than_a_host_does() -> None:
    lost = fragments4(udp4(bytes(3000)), [(0, 1480)])[0]
    later = [Frame(at, 1000.0 + at, USUAL[0], at, len(USUAL[0])) for at in range(2, 90)]
    read = 0

    def frames() -> list[Frame]:
        return [Frame(1, 1000.0, lost, 1, len(lost)), *later]

    decoder = decoding.Decoder("x")
    for frame in frames():
        read += 1
        if list(decoder.take(frame)):
            break
    assert read == 61, "after a minute it is told, with what waited behind it"
