"""Rows of the other scenarios: each passes what is right, and fails what is not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from builder.lab.oracle import judge
from builder.lab.oracle.evidence import ClientAnswer
from builder.lab.scenario.model import Run
from tests.support.lab import wire as hand
from tests.support.lab.wire import RST, Wire
from tests.unit.lab.test_oracle import INSIDE, move

Change = Callable[[Run, Wire], Run]


def as_it_is(run: Run, wire: Wire) -> Run:
    return run


def refused(run: Run, wire: Wire) -> Run:
    wire.answers = [ClientAnswer(one.exchange, False, "no answer") for one in wire.answers]
    return nothing_inside(run, wire)


def nothing_inside(run: Run, wire: Wire) -> Run:
    for link in INSIDE:
        wire.frames[link] = []
    return run


def one_fails(run: Run, wire: Wire) -> Run:
    wire.counters["fails"] = 1
    return run


def two_locals(run: Run, wire: Wire) -> Run:
    service = msgspec.structs.replace(run.service[0], local=("10.0.3.1", "10.0.3.11"))
    return msgspec.structs.replace(run, service=(service,))


def resets(run: Run, wire: Wire) -> Run:
    """Both connections end with a reset to either side."""
    for number, server in enumerate(("web1", "web2")):
        local = (hand.LOCAL[0], hand.LOCAL[1] + number)
        reset = hand.segment(local, hand.SERVERS[server], RST, 5000, 0, b"", b"")
        wire.frames["inner"].append(reset)
    return resets_outside(run, wire)


def resets_outside(run: Run, wire: Wire) -> Run:
    for number in range(2):
        client = (hand.CLIENT[0], hand.CLIENT[1] + number)
        wire.frames["outer"].append(hand.segment(hand.VIP, client, RST, 5000, 0, b"", b""))
    return run


def from_the_client(run: Run, wire: Wire) -> Run:
    wire.each(lambda ip: move(ip, "10.0.3.1", "10.0.1.2"), *INSIDE)
    return run


def from_nobody(run: Run, wire: Wire) -> Run:
    wire.each(lambda ip: move(ip, "10.0.3.1", "10.0.3.99"), *INSIDE)
    return run


def _answers(wire: Wire, options: bytes, *links: str) -> None:
    """The options of all SYN-ACKs on these links."""
    for link in links:
        for one in wire.frames[link]:
            tcp = one.data.data
            if tcp.flags & (hand.SYN | hand.ACK) == hand.SYN | hand.ACK:
                tcp.opts = options
                tcp.off = 5 + len(options) // 4


def no_timestamps(run: Run, wire: Wire) -> Run:
    _answers(wire, hand.MSS, "outer")
    return run


def no_timestamps_at_all(run: Run, wire: Wire) -> Run:
    _answers(wire, hand.MSS, "outer", *INSIDE)
    return run


def scaled(run: Run, wire: Wire) -> Run:
    """SACK, timestamps and a window scale of 7."""
    options = hand.MSS + b"\x04\x02" + hand.TIMESTAMP[2:] + b"\x01\x03\x03\x07"
    _answers(wire, options, "outer", *INSIDE)
    return run


def other_scale(run: Run, wire: Wire) -> Run:
    run = scaled(run, wire)
    options = hand.MSS + b"\x04\x02" + hand.TIMESTAMP[2:] + b"\x01\x03\x03\x08"
    _answers(wire, options, "outer")
    return run


FORGED = b"\xfe\x08\x27\x0f\x01\x02\x03\x04"


def _options(wire: Wire, link: str, index: int, options: bytes) -> None:
    tcp = wire.tcp(link, index)
    tcp.opts, tcp.off = options, 5 + len(options) // 4


def forged(run: Run, wire: Wire) -> Run:
    """In the SYN and in later data of the first connection; the director makes them NOPs."""
    wire.counters["fullnat_toa_scrubbed"] = 2
    for index, own in ((0, hand.toa(hand.CLIENT)), (4, b"")):
        _options(wire, "outer", index, FORGED + hand.TIMESTAMP)
        for link in ("inner", "web1"):
            _options(wire, link, index, own + b"\x01" * 8 + hand.TIMESTAMP)
    return run


def forged_in_the_syn(run: Run, wire: Wire) -> Run:
    run = forged(run, wire)
    _options(wire, "inner", 0, hand.toa(hand.CLIENT) + FORGED + hand.TIMESTAMP)
    return run


def forged_in_later_data(run: Run, wire: Wire) -> Run:
    run = forged(run, wire)
    _options(wire, "inner", 4, FORGED + hand.TIMESTAMP)
    return run


def told_twice(run: Run, wire: Wire) -> Run:
    run = forged(run, wire)
    _options(wire, "inner", 0, hand.toa(hand.CLIENT) * 2)
    return run


def not_counted(run: Run, wire: Wire) -> Run:
    run = forged(run, wire)
    wire.counters["fullnat_toa_scrubbed"] = 0
    return run


@pytest.mark.parametrize(
    ("row", "right", "wrong"),
    [
        ("no-forged-toa", forged, as_it_is),
        ("no-forged-toa", forged, forged_in_the_syn),
        ("no-forged-toa", forged, forged_in_later_data),
        ("no-forged-toa", forged, told_twice),
        ("no-forged-toa", forged, not_counted),
        ("refused", refused, as_it_is),
        ("refused", refused, nothing_inside),
        ("nothing-inside", nothing_inside, as_it_is),
        ("fails-counted", one_fails, as_it_is),
        ("every-local", as_it_is, two_locals),
        ("expiry-rst", resets, as_it_is),
        ("expiry-rst", resets, resets_outside),
        ("client-inside", from_the_client, as_it_is),
        ("director-source", as_it_is, from_nobody),
        ("offer", as_it_is, no_timestamps),
        ("offer", scaled, other_scale),
        ("offer", no_timestamps_at_all, other_scale),
    ],
)
def test_a_row_tells_right_from_wrong(
    tmp_path: Path, row: str, right: Change, wrong: Change
) -> None:
    for change, outcome in ((right, "pass"), (wrong, "fail")):
        run, wire = hand.healthy()
        run = change(msgspec.structs.replace(run, rows=(row,)), wire)
        (found,) = judge.judge(wire.evidence(run, tmp_path), "").rows
        assert found.outcome == outcome, found


def cut(wire: Wire, place: str, keep: int) -> None:
    """All of a link's packets that are longer are captured up to there, at both ends."""
    wire.kept[place] = keep


@pytest.mark.parametrize(
    ("row", "place", "keep"),
    [
        # each of them holds where all is there, and nothing that was captured is against it
        ("checksums", "outer", 100),
        ("ends-agree", "outer", 100),
        ("no-client-inside", "inner", 20),
        ("no-vip-inside", "inner", 30),
        ("no-inside-outside", "outer", 32),
    ],
)
def test_what_was_cut_off_is_undecided(tmp_path: Path, row: str, place: str, keep: int) -> None:
    run, wire = hand.healthy()
    run = msgspec.structs.replace(run, rows=(row,))
    cut(wire, place, keep)
    found = judge.judge(wire.evidence(run, tmp_path), "")
    assert [one.outcome for one in found.rows] == ["undecided"], found.rows
    assert not found.as_expected
    assert found.complaint == f"undecided: {row}"
    assert "cut capture" in found.rows[0].faults[0].expected
    assert found.rows[0].faults[0].packets


@pytest.mark.parametrize("row", ["sequence-delta", "ends-agree"])
def test_bytes_that_nobody_saw_are_not_the_same(tmp_path: Path, row: str) -> None:
    """Cut at the same place on every link, what is left is alike."""
    run, wire = hand.healthy()
    run = msgspec.structs.replace(run, rows=(row,))
    for link in wire.frames:
        cut(wire, link, 400)
    (found,) = judge.judge(wire.evidence(run, tmp_path), "").rows
    assert found.outcome == "undecided", found


def test_a_control_whose_row_is_undecided_controls_nothing(tmp_path: Path) -> None:
    run, wire = hand.healthy()
    run = msgspec.structs.replace(run, rows=("checksums",), must_fail=("checksums",))
    cut(wire, "outer", 100)
    found = judge.judge(wire.evidence(run, tmp_path), "")
    assert found.complaint == "the lab is broken: checksums should have failed"


def test_a_control_that_fails_alone_has_no_undecided_rows(tmp_path: Path) -> None:
    run, wire = hand.healthy()
    rows = ("in-turn", "checksums")
    run = msgspec.structs.replace(run, rows=rows, must_fail=("in-turn",), only=True)
    wire.answers[1] = ClientAnswer("proof/2", True, "web1 sees 10.0.3.1 port 5015")
    assert judge.judge(wire.evidence(run, tmp_path), "").as_expected
    cut(wire, "outer", 100)
    assert judge.judge(wire.evidence(run, tmp_path), "").complaint == "undecided: checksums"
