"""The outcomes of a part's tests, read from the file that pytest wrote."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal
from xml.etree import ElementTree

import msgspec

BUILT_NEWER = "built newer"  # the figure of a test that renewed a pin in its own copy
Verdict = Literal["passed", "failed", "skipped"]


class CaseOutcome(msgspec.Struct, frozen=True):
    """One test: its time in seconds, fixtures included, and the figures that it recorded."""

    test: str
    file: str
    verdict: Verdict
    seconds: float
    figures: dict[str, str] = {}

    @property
    def folder(self) -> str:
        """The test's folder below ``tests/``: level and room, as in ``small/engine``."""
        return Path(self.file).parent.relative_to("tests").as_posix()


def read(path: Path) -> tuple[CaseOutcome, ...]:
    """The outcomes in a file of JUnit's format; none if pytest did not write it.

    A test that an interrupt ended has no name and no file there, and so no outcome.
    """
    if not path.exists():
        return ()
    cases = ElementTree.parse(path).iter("testcase")  # noqa: S314 - our own pytest wrote it
    return tuple(_outcome(case) for case in cases if case.get("file"))


def _outcome(case: ElementTree.Element) -> CaseOutcome:
    words = {child.tag for child in case}
    verdict: Verdict = "passed"
    if words & {"failure", "error"}:
        verdict = "failed"
    elif "skipped" in words:
        verdict = "skipped"
    name, file = case.get("name", ""), case.get("file", "")
    figures = {one.get("name", ""): one.get("value", "") for one in case.iter("property")}
    return CaseOutcome(f"{file}::{name}", file, verdict, float(case.get("time", 0)), figures)


def by_folder(outcomes: Iterable[CaseOutcome]) -> dict[str, float]:
    """Seconds of the tests in each folder; more than wall time if several ran at once."""
    found: dict[str, float] = {}
    for one in outcomes:
        found[one.folder] = found.get(one.folder, 0.0) + one.seconds
    return dict(sorted(found.items()))


def failed(outcomes: Iterable[CaseOutcome]) -> tuple[str, ...]:
    """The tests that failed, as pytest takes them."""
    return tuple(one.test for one in outcomes if one.verdict == "failed")


def newer(outcomes: Iterable[CaseOutcome]) -> tuple[str, ...]:
    """What tests built in a newer version than the pinned one, which Debian no longer has."""
    found = [one.figures[BUILT_NEWER] for one in outcomes if one.figures.get(BUILT_NEWER)]
    return tuple(dict.fromkeys(found))
