"""Checks, assertions and hunks in the format of JUnit, which CI services show.

The format is that of Ant's junitreport: ``testsuites`` of ``testsuite`` of ``testcase``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal
from xml.etree import ElementTree

from builder.forensics.findings import ProfileFindings
from builder.lab.verdict import RowVerdict, RunVerdict, Verdict
from builder.patch.report import FileReport, HunkOutcome, PatchReport
from builder.smoke.report import Check, SmokeReport

Outcome = Literal["passed", "failed", "skipped"]
# What XML 1.0 has no way to write (production 2).
_UNSPEAKABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class JunitCase:
    """``words``: what was seen, or why it failed or was skipped."""

    name: str
    outcome: Outcome
    words: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class JunitSuite:
    """Cases of one kind, such as ``smoke`` or ``lab.fullnat.proof``."""

    name: str
    cases: tuple[JunitCase, ...]
    seconds: float = 0.0


def of_smoke(report: SmokeReport) -> JunitSuite:
    """The smoke test's checks."""
    return JunitSuite("smoke", tuple(map(_check, report.checks)), report.seconds)


def _check(check: Check) -> JunitCase:
    outcome: Outcome = "skipped" if check.unsupported else "passed" if check.ok else "failed"
    return JunitCase(check.check, outcome, check.detail, check.ms / 1000)


def of_verdict(verdict: Verdict) -> Iterator[JunitSuite]:
    """The lab's assertions, a suite for each run; a negative control is one case."""
    if not verdict.runs:
        outcome: Outcome = "skipped" if verdict.outcome == "unsupported" else "failed"
        case = JunitCase(verdict.scenario, outcome, verdict.complaint)
        yield JunitSuite(f"lab.{verdict.scenario}", (case,), verdict.seconds)
    for run in verdict.runs:
        yield JunitSuite(f"lab.{verdict.scenario}.{run.name}", tuple(_run(run)))


def _run(run: RunVerdict) -> Iterator[JunitCase]:
    if run.control:
        told = run.complaint or "failed as it must"
        yield JunitCase(f"negative control: {run.title}", _as(run.as_expected), told)
        return
    yield from map(_row, run.rows)
    if run.complaint and all(row.outcome == "pass" for row in run.rows):
        yield JunitCase(run.title, "failed", run.complaint)


def _as(good: bool) -> Outcome:
    return "passed" if good else "failed"


def _row(row: RowVerdict) -> JunitCase:
    told = [row.seen]
    for fault in row.faults[:3]:
        told.append(f"expected: {fault.expected}")
        told += (f"{one.capture} #{one.frame}: {one.text}" for one in fault.packets)
    outcome: Outcome = "skipped" if row.outcome == "unsupported" else _as(row.outcome == "pass")
    return JunitCase(f"{row.name}: {row.must_hold}", outcome, "\n".join(told))


def of_findings(found: ProfileFindings) -> Iterator[JunitSuite]:
    """Hunks, a suite for each patch; and copies of structures, a case for each."""
    for name, component in found.components.items():
        for patch in component.patches:
            yield JunitSuite(f"patch.{name}.{patch.name}", tuple(_patch(patch)))
    if found.layouts:
        cases = (
            JunitCase(
                f"{copy.label} agrees with {layout.first}",
                _as(not copy.disagreements),
                "\n".join(
                    f"{one.subject} {one.field}: {one.first} and {one.second}"
                    for one in copy.disagreements
                ),
            )
            for layout in found.layouts
            for copy in layout.copies
        )
        yield JunitSuite("layout", tuple(cases))


def _patch(patch: PatchReport) -> Iterator[JunitCase]:
    if not patch.files:
        yield JunitCase(patch.name, "skipped", patch.note)
    for file in patch.files:
        yield from _file(file)


def _file(file: FileReport) -> Iterator[JunitCase]:
    if file.problem or not file.hunks:
        yield JunitCase(f"{file.path} ({file.action})", _as(not file.problem), file.problem)
    for number, hunk in enumerate(file.hunks, 1):
        told = [hunk.kind, hunk.reason]
        told += [hunk.text] if hunk.outcome is HunkOutcome.REJECTED else []
        name = f"{file.path}: hunk {number} of {len(file.hunks)}"
        words = "\n".join(filter(None, told))
        yield JunitCase(name, _as(not hunk.outcome.failed), words, 0.0)


def encode(suites: Iterable[JunitSuite]) -> bytes:
    """The document; characters that XML cannot have are replaced."""
    root = ElementTree.Element("testsuites", name="lvs-fullnat-builder")
    for suite in suites:
        element = ElementTree.SubElement(root, "testsuite", _counts(suite))
        for case in suite.cases:
            _add(element, suite, case)
    ElementTree.indent(root)
    document: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return document + b"\n"


def _counts(suite: JunitSuite) -> dict[str, str]:
    outcomes = [case.outcome for case in suite.cases]
    return {
        "name": _speakable(suite.name),
        "tests": str(len(outcomes)),
        "failures": str(outcomes.count("failed")),
        "errors": "0",
        "skipped": str(outcomes.count("skipped")),
        "time": f"{suite.seconds or sum(case.seconds for case in suite.cases):.3f}",
    }


def _add(parent: ElementTree.Element, suite: JunitSuite, case: JunitCase) -> None:
    told = {"classname": _speakable(suite.name), "name": _speakable(case.name)}
    element = ElementTree.SubElement(parent, "testcase", {**told, "time": f"{case.seconds:.3f}"})
    words = _speakable(case.words)
    first = words.partition("\n")[0]
    if case.outcome == "failed":
        ElementTree.SubElement(element, "failure", message=first).text = words
    elif case.outcome == "skipped":
        ElementTree.SubElement(element, "skipped", message=first)
    elif words:
        ElementTree.SubElement(element, "system-out").text = words


def _speakable(text: str) -> str:
    return _UNSPEAKABLE.sub("\ufffd", text)
