"""Findings about a file of the checkout: rejected hunks, differing layouts, and the like.

As SARIF 2.1.0 (OASIS) for code scanning, as GitHub's annotations, and as GitLab's report of code
quality (docs.gitlab.com, "Code Quality report format").
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec

from builder.digest import of_text
from builder.forensics.findings import ComponentFindings, ProfileFindings
from builder.patch.report import FileReport, HunkOutcome, HunkReport, PatchReport
from builder.version import TOOLKIT, version

Level = Literal["error", "warning", "note"]
RULES: dict[str, str] = {
    "patch-rejected": "A hunk does not apply",
    "patch-applied": "A hunk is in the source already",
    "patch-fuzz": "A hunk applies where the source around it differs",
    "patch-offset": "A hunk applies at another line than it says",
    "patch-file": "A file cannot be patched",
    "kconfig-question": "A patch adds a question that a configuration must answer",
    "layout": "Kernel and tools disagree on a structure that they exchange",
}
_OF_OUTCOME: dict[HunkOutcome, tuple[str, Level]] = {
    HunkOutcome.REJECTED: ("patch-rejected", "error"),
    HunkOutcome.APPLIED: ("patch-applied", "error"),
    HunkOutcome.FUZZ: ("patch-fuzz", "warning"),
    HunkOutcome.OFFSET: ("patch-offset", "note"),
}
_ANNOTATION: dict[Level, str] = {"error": "error", "warning": "warning", "note": "notice"}
_SEVERITY: dict[Level, str] = {"error": "critical", "warning": "minor", "note": "info"}


@dataclass(frozen=True)
class CodeFinding:
    """``file``: below the checkout, empty if it is about none.  ``line``: from 1."""

    rule: str
    level: Level
    words: str
    file: str = ""
    line: int = 1


def of_findings(found: ProfileFindings, root: Path) -> Iterator[CodeFinding]:
    """What ``invoke patch`` has found out; ``root``: the checkout."""
    for name, component in found.components.items():
        yield from _component(name, component, root)
    for layout in found.layouts:
        for copy in layout.copies:
            for one in copy.disagreements:
                differs = f"{one.field}: {one.first} and {one.second}"
                words = f"{one.subject} in {layout.first} and {copy.label}: {differs}"
                yield CodeFinding("layout", "error", words)


def _component(name: str, component: ComponentFindings, root: Path) -> Iterator[CodeFinding]:
    for patch in component.patches:
        path = Path(patch.path)
        place = str(path.relative_to(root)) if path.is_relative_to(root) else ""
        for file in patch.files:
            yield from _file(patch, file, place, path)
    for symbol in component.kconfig.questions:
        yield CodeFinding(
            "kconfig-question", "note", f"{name}: CONFIG_{symbol} asks a new question"
        )


def _file(patch: PatchReport, file: FileReport, place: str, path: Path) -> Iterator[CodeFinding]:
    if file.problem:
        words = f"{patch.name}: {file.path}: {file.problem}"
        yield CodeFinding("patch-file", "error", words, place)
    for number, hunk in enumerate(file.hunks, 1):
        if hunk.outcome in _OF_OUTCOME:
            rule, level = _OF_OUTCOME[hunk.outcome]
            where = f"{patch.name}: {file.path}, hunk {number} of {len(file.hunks)}"
            told = f"{hunk.kind}, line {hunk.line}{': ' if hunk.reason else ''}{hunk.reason}"
            line = _line_of(path, file, hunk) if place else 1
            yield CodeFinding(rule, level, f"{where}: {told}", place, line)


def _line_of(path: Path, file: FileReport, hunk: HunkReport) -> int:
    """Where a hunk begins in its patch; 1 if that is not found."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return 1
    known = False
    for number, line in enumerate(lines, 1):
        known = known or (line.startswith(("+++ ", "--- ")) and file.path in line)
        if known and hunk.header and line.startswith(hunk.header):
            return number
    return 1


def as_sarif(findings: Iterable[CodeFinding]) -> bytes:
    """A log with one run."""
    rules = [
        {"id": name, "shortDescription": {"text": words}} for name, words in sorted(RULES.items())
    ]
    driver = {"name": TOOLKIT, "version": version(), "rules": rules}
    log = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "results": list(map(_result, findings))}],
    }
    return msgspec.json.format(msgspec.json.encode(log), indent=2) + b"\n"


def _result(one: CodeFinding) -> dict[str, Any]:
    found = {"ruleId": one.rule, "level": one.level, "message": {"text": one.words}}
    if not one.file:
        return found
    physical = {
        "artifactLocation": {"uri": one.file, "uriBaseId": "%SRCROOT%"},
        "region": {"startLine": one.line},
    }
    return {**found, "locations": [{"physicalLocation": physical}]}


def as_code_quality(findings: Iterable[CodeFinding], elsewhere: str) -> bytes:
    """A list of issues; ``elsewhere``: the file of a finding that is about none.

    A finding keeps its fingerprint when its line moves, so that GitLab takes it for the same one.
    """
    issues = [
        {
            "description": one.words,
            "check_name": one.rule,
            "fingerprint": of_text("\n".join((one.rule, one.file, one.words))),
            "severity": _SEVERITY[one.level],
            "location": {"path": one.file or elsewhere, "lines": {"begin": one.line}},
        }
        for one in findings
    ]
    return json.dumps(issues, indent=2).encode() + b"\n"


def as_annotation(one: CodeFinding) -> str:
    """A workflow command of GitHub Actions, whatever is in the words."""
    place = f"file={_property(one.file)},line={one.line}," if one.file else ""
    title = _property(RULES.get(one.rule, one.rule))
    return f"::{_ANNOTATION[one.level]} {place}title={title}::{_data(one.words)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
