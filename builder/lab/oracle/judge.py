"""All rows of a run, and whether a negative control did what it must."""

from __future__ import annotations

from builder.lab.capture.packet import Packet
from builder.lab.oracle.evidence import Evidence
from builder.lab.oracle.judgement import Judgement, Problem, Row
from builder.lab.oracle.rows import ROWS
from builder.lab.scenario.model import Run
from builder.lab.verdict import Fault, Outcome, RowVerdict, RunVerdict, Seen


def judge(evidence: Evidence, log: str) -> RunVerdict:
    """The verdict on a run; ``log``: what the run's kernel log must have and lacks."""
    rows = tuple(_row(name, evidence) for name in evidence.run.rows)
    complaint = log or _complaint(evidence.run, rows)
    return RunVerdict(
        name=evidence.run.name,
        title=evidence.run.title,
        control=evidence.run.control,
        as_expected=not complaint,
        complaint=complaint,
        rows=rows,
        answers=tuple(f"{answer.exchange}: {answer.words}" for answer in evidence.answers),
        counters=dict(evidence.counters),
    )


def _row(name: str, evidence: Evidence) -> RowVerdict:
    row = ROWS[name]
    reason = evidence.series.unsupported.get(name, "")
    return said(row, Judgement(unsupported=reason) if reason else row.judge(evidence))


def said(row: Row, judgement: Judgement) -> RowVerdict:
    """A row's verdict, in words."""
    name = row.name
    if judgement.unsupported:
        why = judgement.why or "not applicable"
        return RowVerdict(name, row.must_hold, "unsupported", judgement.unsupported, why=why)
    if judgement.failed:
        seen = f"{judgement.failed} of {max(judgement.looked, judgement.failed)}"
        faults = _faults(judgement.problems)
        return RowVerdict(name, row.must_hold, "fail", f"{seen} are not as expected", faults)
    if judgement.doubted:
        seen = f"{judgement.doubted} of {judgement.looked + judgement.doubted} cannot be judged"
        faults = _faults(judgement.doubts)
        return RowVerdict(name, row.must_hold, "undecided", seen, faults, judgement.why)
    return RowVerdict(name, row.must_hold, "pass", judgement.seen)


def _faults(problems: tuple[Problem, ...]) -> tuple[Fault, ...]:
    return tuple(
        Fault(problem.expected, tuple(map(_seen, problem.packets))) for problem in problems
    )


def _seen(packet: Packet) -> Seen:
    return Seen(packet.place, packet.frame, str(packet).partition(": ")[2])


def _with(outcome: Outcome, rows: tuple[RowVerdict, ...]) -> frozenset[str]:
    return frozenset(row.name for row in rows if row.outcome == outcome)


def _complaint(run: Run, rows: tuple[RowVerdict, ...]) -> str:
    """What is wrong with a run as a whole; nothing if all is as it must be."""
    failed, wanted = _with("fail", rows), frozenset(run.must_fail)
    unsupported, undecided = _with("unsupported", rows), _with("undecided", rows)
    if not run.control:
        told = (("failed", failed), ("undecided", undecided))
        words = "; ".join(f"{word}: {', '.join(sorted(which))}" for word, which in told if which)
        return words or ("" if _with("pass", rows) else "no assertion could be judged")
    if not wanted & failed and wanted <= unsupported:
        return f"the lab is broken: none of {', '.join(sorted(wanted))} can be judged here"
    passed = wanted - failed - unsupported
    if passed:
        return f"the lab is broken: {', '.join(sorted(passed))} should have failed"
    if run.only and failed - wanted:
        return f"failed as well: {', '.join(sorted(failed - wanted))}"
    if run.only and undecided:
        return f"undecided: {', '.join(sorted(undecided))}"
    return ""
