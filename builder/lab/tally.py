"""How many assertions hold, failed, or could not be judged, each counted separately."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from builder.lab.verdict import RowVerdict, RunVerdict


class AssertionCount(msgspec.Struct, frozen=True):
    """Assertions, counted by what is known of them.

    ``held``: proven assertions only.  ``unjudged``: assertions of which nothing is known, because
    the series does not support them or the captures do not decide them.
    """

    held: int
    failed: int
    unjudged: tuple[str, ...]

    @property
    def total(self) -> int:
        return self.held + self.failed + len(self.unjudged)

    @property
    def words(self) -> str:
        """``22 assertions hold``, or ``19 hold, 3 could not be judged``."""
        if self.held == self.total:
            return f"{self.held} assertion{'s hold' if self.held != 1 else ' holds'}"
        told = [f"{self.held} hold"]
        if self.failed:
            told.append(f"{self.failed} failed")
        if self.unjudged:
            told.append(f"{len(self.unjudged)} could not be judged")
        return ", ".join(told)


def of_rows(rows: Iterable[RowVerdict]) -> AssertionCount:
    """The tally of assertions, each counted once."""
    by_outcome: dict[str, list[str]] = {}
    for row in rows:
        by_outcome.setdefault(row.outcome, []).append(row.name)
    return AssertionCount(
        len(by_outcome.pop("pass", ())),
        len(by_outcome.pop("fail", ())),
        tuple(sorted(name for names in by_outcome.values() for name in names)),
    )


def of_runs(runs: Iterable[RunVerdict]) -> AssertionCount:
    """The tally of several runs' assertions: one that two runs make counts twice."""
    return of_rows(row for run in runs for row in run.rows)
