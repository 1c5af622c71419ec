"""How many assertions hold, failed, or were not judged, each counted by what is known of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

import msgspec

from builder.lab.verdict import RowVerdict, RunVerdict

Kind = Literal["undecided", "no capture", "nothing to judge", "not applicable", "not in captures"]
WORDS: Mapping[Kind, tuple[str, str]] = {
    "undecided": ("undecided", "undecided"),
    "no capture": ("lacks a capture", "lack a capture"),
    "nothing to judge": ("had nothing to judge", "had nothing to judge"),
    "not applicable": ("does not apply", "do not apply"),
    "not in captures": ("needs more than captures", "need more than captures"),
}
"""What is said of one assertion, and of several, in the order in which they are told."""


class AssertionCount(msgspec.Struct, frozen=True):
    """Assertions, counted by what is known of them.

    ``held``: proven assertions only.  ``reasons``: the names of those of which nothing is known,
    by the kind of the reason.
    """

    held: int
    failed: int
    reasons: dict[Kind, tuple[str, ...]]

    @property
    def unjudged(self) -> tuple[str, ...]:
        """All assertions of which nothing is known."""
        return tuple(sorted(name for names in self.reasons.values() for name in names))

    @property
    def total(self) -> int:
        return self.held + self.failed + len(self.unjudged)

    @property
    def words(self) -> str:
        """``22 assertions hold``, or ``19 hold, 3 do not apply``."""
        if self.held == self.total:
            return f"{self.held} assertion{'s hold' if self.held != 1 else ' holds'}"
        told = [f"{self.held} hold"]
        if self.failed:
            told.append(f"{self.failed} failed")
        return ", ".join((*told, *filter(None, (self.unjudged_words,))))

    @property
    def unjudged_words(self) -> str:
        """``1 undecided, 2 do not apply``; empty if all were judged."""
        return ", ".join(
            told(kind, len(self.reasons[kind])) for kind in WORDS if kind in self.reasons
        )


def told(kind: Kind, count: int) -> str:
    """A number of assertions that were not judged, such as ``3 do not apply``."""
    return f"{count} {WORDS[kind][count != 1]}"


def of_rows(rows: Iterable[RowVerdict]) -> AssertionCount:
    """The tally of assertions, each counted once."""
    held = failed = 0
    reasons: dict[Kind, tuple[str, ...]] = {}
    for row in rows:
        if row.outcome in ("pass", "fail"):
            held += row.outcome == "pass"
            failed += row.outcome == "fail"
        else:
            kind = _kind(row)
            reasons[kind] = (*reasons.get(kind, ()), row.name)
    return AssertionCount(held, failed, reasons)


def _kind(row: RowVerdict) -> Kind:
    """Of which kind the reason is; a verdict of an earlier version does not say it."""
    return row.why or ("undecided" if row.outcome == "undecided" else "not applicable")


def of_runs(runs: Iterable[RunVerdict]) -> AssertionCount:
    """The tally of several runs' assertions: one that two runs make counts twice."""
    return of_rows(row for run in runs for row in run.rows)
