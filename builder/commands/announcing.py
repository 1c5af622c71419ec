"""Annotations and a job summary for the CI service that a run is in.

GitHub Actions sets variables in the environment; other services read the files in
``artifacts/<profile>/ci/``.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from builder.console import Console
from builder.report.record import BuildRecord
from builder.shown import shown

if TYPE_CHECKING:
    from builder.report.finding import CodeFinding

ACTIONS, SUMMARY = "GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY"
MOST = 50
"""Annotations of one command; GitHub shows ten of each level in a step."""


def tell(console: Console, target: Path, made: BuildRecord) -> None:
    """Add a run's summary to the job's, and annotate its failure."""
    path = os.environ.get(SUMMARY, "")
    if path:
        from builder.report import machine  # noqa: PLC0415 - slow to load, and often not needed

        # The file belongs to the service: if it cannot be written, the run has not failed.
        with contextlib.suppress(OSError), Path(path).open("a", encoding="utf-8") as stream:
            stream.write(machine.summary_of(target, made))
    if made.failure is not None:
        from builder.report.finding import CodeFinding  # noqa: PLC0415 - as above

        words = "\n".join(filter(None, (made.failure.what, made.failure.cause, made.failure.hint)))
        annotate(console, (CodeFinding("failure", "error", words),))


def annotate(console: Console, findings: Iterable[CodeFinding]) -> None:
    """Write findings as workflow commands, if GitHub Actions reads them."""
    if os.environ.get(ACTIONS) == "true":
        from builder.report import finding  # noqa: PLC0415 - as above

        for one in list(findings)[:MOST]:
            # A workflow command must be at the beginning of a line.
            console.stream.write(shown(finding.as_annotation(one)) + "\n")
        console.stream.flush()
