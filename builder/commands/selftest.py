"""Linters, types, tests and coverage: CI's set, its quick part, or the tests too long for CI."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from builder import names
from builder.console import Console
from builder.errors import UsageError
from builder.host import ci, process, temporary
from builder.host.paths import Project
from builder.place import Place
from builder.selftest import budget, outcome, record
from builder.selftest.parts import Part, Scope, parts

BUDGET = Path("tests/budget.toml")
RESULT = Path("tests/long-result.json")


@dataclass
class Tally:
    """The results so far: seconds of each part, outcomes of tests, and what failed."""

    seconds: dict[str, float] = field(default_factory=dict)
    outcomes: list[outcome.CaseOutcome] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)


def test(place: Place, *, fast: bool, long: bool, part: str | None) -> int:
    """Run what the options select; returns 0 if all passed, else 1.

    Minutes over a limit are a failure in CI, whose machine they are made for.
    """
    chosen, wanted = scope(fast=fast, long=long), names.split("--part", part)
    return run(place.project, place.console, scope=chosen, strict=ci.is_ci(), only=wanted)


def scope(*, fast: bool, long: bool) -> Scope:
    """The tests that the options select.  Raises UsageError for both at once."""
    if fast and long:
        raise UsageError(
            "--fast and --long cannot be given together",
            "the fast tests are a part of CI's, the long ones are not",
            "invoke test --fast && invoke test --long",
        )
    return "fast" if fast else "long" if long else "ci"


def places(root: Path, scope: Scope, wanted: tuple[str, ...]) -> tuple[str, ...]:
    """The folders, files or tests of ``tests/long`` that the option selects; none for all.

    Raises UsageError for one that does not exist, and for another scope.
    """
    rule = "--part takes folders, files or tests below tests/long, separated by commas"
    if wanted and scope != "long":
        raise UsageError("--part is for the long tests", rule, "invoke test --long --part gate")
    home = root / "tests/long"
    for one in wanted:
        path = home / one.partition("::")[0]
        if not path.resolve().is_relative_to(home.resolve()) or not path.exists():
            there = sorted(each.name for each in home.iterdir() if each.is_dir())
            hint = f"one of: {', '.join(there)}"
            raise UsageError(f"there are no long tests {names.shown(one)}", rule, hint)
    return wanted


def run(
    project: Project,
    console: Console,
    *,
    scope: Scope,
    strict: bool,
    only: tuple[str, ...] = (),
) -> int:
    """Run all parts of ``scope``, also after one has failed; returns 0 if all passed, else 1.

    Their output goes straight to the user; the minutes of each are printed at the end.  A part
    that took longer than its line in ``tests/budget.toml`` has failed if ``strict``, as on the
    machine that the lines are made for; otherwise it is only reported.  ``long`` writes
    ``tests/long-result.json``.  ``only``: these places of the long tests (see ``places``).
    """
    project.require_checkout("test")
    wanted = places(project.root, scope, only)
    limits = budget.load(project.root / BUDGET)
    tested = record.checked_out(project.root, project.root / RESULT) if scope == "long" else None
    begun, clock = datetime.now(UTC), time.monotonic()
    tally = Tally()
    with temporary.folder("selftest") as scratch:
        chosen = parts(project.root, scope, scratch, wanted)
        for part in chosen:
            _run_part(part, project.root, console, tally)
    took = time.monotonic() - clock
    if scope != "long":  # ``long`` is a part itself
        tally.seconds[scope] = took
    _judge_minutes(limits, tally, console, tuple(part.name for part in chosen), strict=strict)
    if tested is not None and tally.outcomes:
        made = record.make(tested, begun, took, tally.outcomes, passed=not tally.failed)
        record.add(made, project.root / RESULT, whole=not only)
        console.say(f"the result is in {RESULT}: commit it")
    for line in outcome.newer(tally.outcomes):
        console.say(f"{outcome.BUILT_NEWER}: {line}")
    for line in (*outcome.failed(tally.outcomes), *tally.failed):
        console.say(f"failed: {line}")
    return 1 if tally.failed else 0


def _run_part(part: Part, root: Path, console: Console, tally: Tally) -> None:
    """Run the checks of a part, which run at the same time: only linters are several."""
    begun = time.monotonic()
    with ExitStack() as stack:
        running = []
        for check in part.checks:
            console.say(f"running {check.name}")
            started = process.start(
                check.argv, cwd=root, stdout=None, stderr=None, env=dict(check.env)
            )
            running.append((check.name, stack.enter_context(started)))
        tally.failed += [name for name, one in running if one.wait() != 0]
    tally.seconds[part.name] = time.monotonic() - begun
    if part.outcomes is None:
        return
    found = outcome.read(part.outcomes)
    if not found:  # pytest writes them all at its end, or none
        tally.failed.append(f"{part.name} wrote no outcomes")
    tally.outcomes += found
    rooms = outcome.by_folder(found)
    rooms.pop(part.name, None)  # the tests directly in the level's own folder
    tally.seconds |= rooms


def _judge_minutes(
    limits: budget.TimeBudget, tally: Tally, console: Console, ran: tuple[str, ...], *, strict: bool
) -> None:
    for line in budget.table(limits, tally.seconds):
        console.say(line)
    late = budget.over(limits, tally.seconds)
    if strict:
        tally.failed += late
    else:
        for line in late:
            console.say(f"warning: {line}")
    tally.failed += budget.idle(limits, tally.seconds, ran)
