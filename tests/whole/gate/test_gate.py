"""The gate: the patched kernel under cases and storms, with everything on that finds faults."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from tests.support.gate.console import Heard, Outcome
from tests.support.gate.guest import CLOCK, TIMELESS, Plan
from tests.support.gate.workshop import (
    CASES,
    FAULTS,
    LOAD,
    SEED,
    SELFTESTS,
    STORMS,
    Workshop,
    names,
)

pytestmark = [pytest.mark.timeout(3000)]


@dataclass(frozen=True)
class Passed:
    """What the guests came to, of which two run at a time."""

    seed: int
    guests: tuple[Heard, ...]

    def outcome(self, name: str) -> Outcome:
        heard = zip(GUESTS, self.guests, strict=True)
        return next(one.outcome(name) for (scripts, _), one in heard if name in scripts)


# The longest first.
GUESTS = (
    (("packets",), CLOCK),
    (names(CASES), CLOCK),
    (tuple(name for name in names(STORMS) if name != "packets"), CLOCK),
    (names(SELFTESTS), TIMELESS),
)


@pytest.fixture(scope="module")
def passed(made: Workshop) -> Passed:
    seed = int(os.environ.get(SEED) or secrets.randbelow(2**31))
    print(f"the gate's seed: {SEED}={seed}")
    given = {"GATE_SEED": str(seed), **LOAD}
    with ThreadPoolExecutor(2) as pool:
        running = [
            pool.submit(
                made.run, f"guest-{number}", Plan(scripts, given, seconds=2400, clock=clock)
            )
            for number, (scripts, clock) in enumerate(GUESTS)
        ]
        return Passed(seed, tuple(one.result() for one in running))


@pytest.mark.parametrize("name", names(CASES))
def test_the_kernel_passes_a_case(passed: Passed, name: str) -> None:
    assert passed.outcome(name).why == ""


@pytest.mark.parametrize("name", names(SELFTESTS))
def test_the_kernel_passes_its_own_test(passed: Passed, name: str) -> None:
    outcome = passed.outcome(name)
    assert outcome.why == "", outcome.lines


@pytest.mark.parametrize("name", names(STORMS))
def test_the_kernel_weathers_a_storm(
    passed: Passed, name: str, record_property: Callable[[str, object], None]
) -> None:
    record_property("seed", str(passed.seed))
    outcome = passed.outcome(name)
    assert outcome.why == "", f"{SEED}={passed.seed}: {outcome.lines}"


def test_the_kernel_reports_nothing_and_watched_to_the_end(passed: Passed) -> None:
    for heard in passed.guests:
        assert heard.reports == (), f"{SEED}={passed.seed}"
        assert heard.fault == ""


def test_a_planted_fault_of_each_kind_is_reported(made: Workshop) -> None:
    planted = made.planted()
    for kind in ("none", *FAULTS):
        heard = planted.run(kind, Plan(("fullnat-tcp",), {"GATE_MODULE": f"planted={kind}"}))
        assert heard.outcome("fullnat-tcp").passed == (kind == "none"), (kind, heard)
        assert bool(heard.reports) == (kind != "none"), (kind, heard)
