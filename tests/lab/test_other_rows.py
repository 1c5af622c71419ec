"""Rows of the other scenarios: each passes what is right, and fails what is not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from builder.lab.oracle import judge
from builder.lab.oracle.evidence import Answer
from builder.lab.scenario.model import Run
from tests.lab import wire as hand
from tests.lab.test_oracle import INSIDE, move
from tests.lab.wire import RST, Wire

Change = Callable[[Run, Wire], Run]


def as_it_is(run: Run, wire: Wire) -> Run:
    return run


def refused(run: Run, wire: Wire) -> Run:
    wire.answers = [Answer(one.exchange, False, "no answer") for one in wire.answers]
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


@pytest.mark.parametrize(
    ("row", "right", "wrong"),
    [
        ("refused", refused, as_it_is),
        ("refused", refused, nothing_inside),
        ("nothing-inside", nothing_inside, as_it_is),
        ("fails-counted", one_fails, as_it_is),
        ("every-local", as_it_is, two_locals),
        ("expiry-rst", resets, as_it_is),
        ("expiry-rst", resets, resets_outside),
        ("client-inside", from_the_client, as_it_is),
        ("director-source", as_it_is, from_nobody),
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
