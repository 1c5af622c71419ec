"""A verdict as a terminal shows it."""

from __future__ import annotations

from collections.abc import Iterator

from builder.lab import tally
from builder.lab.verdict import RunVerdict, Verdict


def lines(verdict: Verdict) -> tuple[str, ...]:
    """The experiment's four views, each run's outcome, and the verdict."""
    return tuple(_lines(verdict))


def _lines(verdict: Verdict) -> Iterator[str]:
    if verdict.outcome == "unsupported":
        yield f"lab {verdict.scenario}: unsupported: {verdict.complaint}"
        return
    for number, view in enumerate(verdict.views, 1):
        yield f"  ({number}) {view.title:<20} {view.ends:<44} {view.capture} #{view.frame}"
    yield from map(_run, verdict.runs)
    yield f"lab {verdict.scenario}: {verdict.outcome} after {verdict.seconds:.1f} s from power-on"


def _run(run: RunVerdict) -> str:
    counted = tally.of_rows(run.rows)
    failed = [row.name for row in run.rows if row.outcome == "fail"]
    words = counted.words
    if run.control:
        words = f"negative control, fails {', '.join(failed) or 'nothing'}"
        words += f"; {counted.unjudged_words}" if counted.unjudged else ""
    words += f" ({', '.join(counted.unjudged)})" if counted.unjudged else ""
    return f"  {'ok ' if run.as_expected else 'BAD'} {run.name}: {run.complaint or words}"
