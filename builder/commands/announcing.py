"""What a run tells the CI service that it runs in: annotations and a job summary.

GitHub Actions says in the environment that it listens; other services read the files in
``artifacts/<profile>/ci/``.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

from builder.console import Console
from builder.report import finding, machine
from builder.report.finding import CodeFinding
from builder.report.record import BuildRecord
from builder.shown import shown

ACTIONS, SUMMARY = "GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY"
MOST = 50
"""Annotations of one command; GitHub shows ten of each level in a step."""


def tell(console: Console, target: Path, made: BuildRecord) -> None:
    """Add a run's summary to the job's, and annotate its failure."""
    path = os.environ.get(SUMMARY, "")
    if path:
        # The service's own file: that it cannot be written is no fault of the run.
        with contextlib.suppress(OSError), Path(path).open("a", encoding="utf-8") as stream:
            stream.write(machine.summary_of(target, made))
    if made.failure is not None:
        words = "\n".join(filter(None, (made.failure.what, made.failure.cause, made.failure.hint)))
        annotate(console, (CodeFinding("failure", "error", words),))


def annotate(console: Console, findings: Iterable[CodeFinding]) -> None:
    """Write findings as workflow commands, where somebody reads them."""
    if os.environ.get(ACTIONS) == "true":
        for one in list(findings)[:MOST]:
            # A command is one only at the beginning of a line.
            console.stream.write(shown(finding.as_annotation(one)) + "\n")
        console.stream.flush()
