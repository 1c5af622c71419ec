"""How long stages take: as long as the last time here, or else as long as elsewhere.

A run takes as long as the longest path through its stages.  They run side by side, and those that
compute share the processors, which is included in the times of the last run.  Where a command waits
for one goal before it begins the next one, the times of the goals are added.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping

import msgspec

from builder.board import Whole
from builder.pipeline.facts import BuildFacts
from builder.pipeline.ledger import Ledger
from builder.pipeline.needs import with_needs
from builder.pipeline.stage import Stage
from builder.pipeline.stagename import StageKind, parse

TYPICAL = {
    StageKind.FETCH: 10.0,
    StageKind.UNPACK: 20.0,
    StageKind.INNER: 5.0,
    StageKind.PREP: 4.0,
    StageKind.IMAGE: 120.0,
    StageKind.CHECKS: 1.0,
    StageKind.BUILD: 40.0,
    StageKind.REPO: 20.0,
    StageKind.VM: 25.0,
    StageKind.SMOKE: 40.0,
    StageKind.LAB: 1.0,
}
"""Seconds on a machine with two processors (README.md, Figures)."""
PROCESSOR_SECONDS = 0.65
"""Of one compiled object of a kernel: 4,400 took 24 min 40 s of two processors."""


class Expectation(msgspec.Struct, frozen=True):
    """What a stage should take: seconds, and compiled objects (0 if unknown or none).

    ``known``: it has run here before.
    """

    seconds: float
    objects: int
    known: bool


def expect(stage: Stage, ledger: Ledger) -> Expectation:
    """The ledger's values, or else estimated ones."""
    last = ledger.last(stage.name)
    if last is not None:
        counted = last.facts.objects if isinstance(last.facts, BuildFacts) else 0
        return Expectation(last.seconds, counted, known=True)
    if stage.objects:
        seconds = stage.objects * PROCESSOR_SECONDS / (os.cpu_count() or 1)
        return Expectation(seconds, stage.objects, known=False)
    if stage.guess is not None:
        return Expectation(stage.guess(), 0, known=False)
    try:
        guess = TYPICAL.get(parse(stage.name).kind, 0.0)
    except ValueError:  # no stage of a build
        guess = 0.0
    return Expectation(guess, 0, known=False)


def whole(
    stages: tuple[Stage, ...], settled: Collection[str], ledger: Ledger, left: Mapping[str, float]
) -> Whole:
    """How far a run has come.  ``left``: seconds that running stages still need."""
    waiting = [one for one in stages if one.name not in settled]
    expected = {one.name: expect(one, ledger) for one in waiting}
    seconds = {name: left.get(name, one.seconds) for name, one in expected.items()}
    known = all(one.known for one in expected.values())
    return Whole(len(stages) - len(waiting), len(stages), longest(waiting, seconds), known)


def longest(stages: Iterable[Stage], seconds: Mapping[str, float]) -> float:
    """Seconds of the longest path through ``stages``, each of which comes after its needs.

    ``seconds``: what each stage still takes; a stage that is not in it takes none.
    """
    until: dict[str, float] = {}
    for stage in stages:
        before = max((until.get(need, 0.0) for need in stage.needs), default=0.0)
        until[stage.name] = before + seconds.get(stage.name, 0.0)
    return max(until.values(), default=0.0)


def in_turn(
    stages: Mapping[str, Stage], goals: Iterable[str], seconds: Mapping[str, float]
) -> float:
    """Seconds until all goals are settled if each one is begun when the one before is settled.

    ``stages``: all, by name.  ``seconds``: as in ``longest``.
    """
    settled: set[str] = set()
    total = 0.0
    for goal in goals:
        unsettled = [one for one in with_needs(stages, (goal,)) if one.name not in settled]
        settled |= {one.name for one in unsettled}
        total += longest(unsettled, seconds)
    return total
