"""Loss is told by holes: a segment that a busy machine repeats for nothing changes no verdict."""

from __future__ import annotations

import random
from pathlib import Path

import msgspec
import pytest

from builder.lab.capture.packet import OPT_SACK
from builder.lab.oracle import judge
from builder.lab.verdict import RunVerdict
from tests.support.lab import lossy
from tests.support.lab.wire import Wire


def chance_of(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - no secret


def outcomes(found: RunVerdict) -> dict[str, str]:
    """Of the rows that do not hold."""
    return {row.name: row.outcome for row in found.rows if row.outcome != "pass"}


def options(wire: Wire) -> int:
    """How many packets carry a SACK option, at the client."""
    return sum(bytes((1, 1, OPT_SACK)) in one.data.data.opts for one in wire.frames["outer"])


@pytest.mark.parametrize("seed", range(20))
def test_the_control_fails_whatever_is_repeated_for_nothing(tmp_path: Path, seed: int) -> None:
    chance = chance_of(seed)
    run, wire = lossy.captured("no-loss", chance, lost=0, repeated=chance.randint(1, 4))
    assert options(wire) >= 2, "servers report what came twice"
    found = judge.judge(wire.evidence(run, tmp_path), "")
    assert outcomes(found) == {"holes": "fail", "sack": "fail"}
    assert found.as_expected, found.complaint


@pytest.mark.parametrize("seed", range(20))
def test_the_proof_holds_with_losses_and_repetitions(tmp_path: Path, seed: int) -> None:
    chance = chance_of(seed)
    run, wire = lossy.captured("proof", chance, lost=chance.randint(1, 4), repeated=seed % 3)
    found = judge.judge(wire.evidence(run, tmp_path), "")
    assert outcomes(found) == {}, found


def test_where_nothing_is_lost_the_proof_fails(tmp_path: Path) -> None:
    run, wire = lossy.captured("proof", chance_of(1), lost=0, repeated=2)
    found = judge.judge(wire.evidence(run, tmp_path), "")
    assert outcomes(found) == {"holes": "fail", "sack": "fail"}


def test_where_segments_are_lost_the_control_says_that_the_lab_is_broken(tmp_path: Path) -> None:
    run, wire = lossy.captured("no-loss", chance_of(1), lost=1, repeated=1)
    found = judge.judge(wire.evidence(run, tmp_path), "")
    assert found.complaint == "the lab is broken: holes, sack should have failed"


@pytest.mark.parametrize("seed", [2, 3])
def test_a_hole_that_nothing_fills_is_told(tmp_path: Path, seed: int) -> None:
    """With seed 2 it is the first segment, which names the exchange."""
    run, wire = lossy.captured("proof", chance_of(seed), lost=1, repeated=0)
    run = msgspec.structs.replace(run, rows=("holes",))
    frames = wire.frames["web1"]
    sent = [at for at, one in enumerate(frames) if len(one.data.data.data) == lossy.SEGMENT]
    del frames[sent[-1]]
    assert outcomes(judge.judge(wire.evidence(run, tmp_path), "")) == {"holes": "fail"}


def test_a_sack_that_was_not_translated_is_told(tmp_path: Path) -> None:
    run, wire = lossy.captured("proof", chance_of(3), lost=2, repeated=1)
    for one in wire.frames["outer"]:
        tcp = one.data.data
        if bytes((1, 1, OPT_SACK)) in tcp.opts:
            tcp.opts = tcp.opts[:-1] + bytes((tcp.opts[-1] ^ 1,))
    found = judge.judge(wire.evidence(run, tmp_path), "")
    assert outcomes(found) == {"sack": "fail"}
