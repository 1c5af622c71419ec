"""The verdict on captures of both sides of a director."""

from __future__ import annotations

import time
from dataclasses import dataclass

from builder.errors import UsageError
from builder.lab.oracle.judge import said
from builder.lab.oracle.judgement import Judgement
from builder.lab.oracle.rows import ROWS
from builder.lab.trace.books import ELSEWHERE, Notebook, asked
from builder.lab.trace.director import Director
from builder.lab.trace.reading import SideCapture
from builder.lab.trace.showing import Showing, Watched
from builder.lab.trace.stepping import Stepping
from builder.lab.trace.tracing import STILL_OPEN, Tracer
from builder.lab.verdict import Outcome, RowVerdict, RunVerdict, Verdict

NAME = "captures"
SUMMARY = "FULLNAT in captures of both sides of a director"


@dataclass(frozen=True)
class JudgedTrace:
    """The verdict, the connections to show, and why others were not joined, with counts."""

    verdict: Verdict
    director: Director
    shown: tuple[Watched, ...]
    unjoined: dict[str, int]
    ahead: float | None


def judge(
    director: Director,
    sides: tuple[list[SideCapture], list[SideCapture]],
    profile: str,
    *,
    strict: bool = False,
) -> JudgedTrace:
    """Read the captures once, and judge what is in them.

    ``strict``: connections that a capture's start or end divides make the verdict undecided.
    Raises UsageError for unknown link types and for swapped sides.
    """
    began = time.monotonic()
    step = Stepping(tuple([one.packets() for one in side] for side in sides))  # type: ignore[arg-type]
    showing = Showing()
    book = Tracer(director, step, showing, strict=strict).run()
    _require_sides(book)
    _files(book, sides)
    rows = tuple(said(row, book.judgement(row, director)) for row in asked())
    rows += tuple(
        said(ROWS[name], Judgement(unsupported=reason, why="not in captures"))
        for name, reason in ELSEWHERE.items()
    )
    outcome, complaint = _outcome(rows, book)
    run = RunVerdict(
        name=NAME,
        title="what both sides of the director show",
        control=False,
        as_expected=outcome == "pass",
        complaint=complaint,
        rows=rows,
        counters=_counters(book, step),
    )
    verdict = Verdict(
        scenario=NAME,
        summary=SUMMARY,
        profile=profile,
        outcome=outcome,
        complaint=complaint,
        seconds=round(time.monotonic() - began, 3),
        runs=(run,),
    )
    return JudgedTrace(verdict, director, showing.shown, book.unjudged, step.ahead)


def _require_sides(book: Notebook) -> None:
    """Raise UsageError if each side shows only what belongs to the other."""
    misplaced = book["no-vip-inside"].failed, book["no-inside-outside"].failed
    if not book.joined and not book["outer-tuple"].looked and all(misplaced):
        raise UsageError(
            "the captures of the two sides look swapped",
            f"{misplaced[0]} packets of virtual services are inside, {misplaced[1]} packets of "
            "servers are outside, and no connection is on both sides",
            "give --outside the clients' side and --inside the servers'",
        )


def _files(book: Notebook, sides: tuple[list[SideCapture], list[SideCapture]]) -> None:
    """Note captures that end early and sides without captures."""
    row = book["capture-whole"]
    for name, recordings in zip(("outside", "inside"), sides, strict=True):
        if not recordings:
            row.doubt(f"no capture of the {name} was given")
            book.missing = name
        for one in recordings:
            if one.cut:
                row.doubt(f"{one.place}: {one.cut}")
            else:
                row.look()


def _outcome(rows: tuple[RowVerdict, ...], book: Notebook) -> tuple[Outcome, str]:
    told = [
        (word, [row.name for row in rows if row.outcome == word]) for word in ("fail", "undecided")
    ]
    words = [
        f"{'failed' if word == 'fail' else word}: {', '.join(names)}"
        for word, names in told
        if names
    ]
    if told[0][1]:
        return "fail", "; ".join(words)
    if not words and not book.joined:
        words = ["undecided: no connection was found on both sides"]
    if not words and not book.whole:
        words = ["undecided: no connection was captured from its begin to its end"]
    return ("undecided", "; ".join(words)) if words else ("pass", "")


def _counters(book: Notebook, step: Stepping) -> dict[str, int]:
    outside, inside = book.packets
    return {
        "packets_outside": outside,
        "packets_inside": inside,
        "foreign_outside": book.foreign[0],
        "foreign_inside": book.foreign[1],
        "connections": book.joined,
        "connections_not_judged": sum(book.unjoined.values())
        + sum(max(sides) for why, sides in book.straddling.items() if why != STILL_OPEN),
        "connections_of_others": book.strangers,
        "most_open": book.most_open,
        "resegmented": book.resegmented,
        "clock_difference_us": round((step.ahead or 0.0) * 1e6),
    }
