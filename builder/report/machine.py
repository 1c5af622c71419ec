"""``artifacts/<profile>/ci/``: what CI services read of a run, also after a failure."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from builder.forensics.findings import ProfileFindings
from builder.host.whole import write_whole
from builder.lab import verdict as verdicts
from builder.profile.load import FILE_NAME
from builder.report import finding, html, junit, proofs, summary
from builder.report.filenames import CI, JUNIT, PATCHES, QUALITY, SARIF, SUMMARY
from builder.report.finding import CodeFinding
from builder.report.junit import JunitSuite
from builder.report.record import BuildRecord


def write(target: Path, made: BuildRecord) -> None:
    """Write the smoke test's checks and the lab's assertions, and the summary."""
    made = proofs.told(target, made)
    _write(target / CI / JUNIT, junit.encode(_suites(target, made)))
    _write(target / CI / SUMMARY, summary_of(target, made).encode())


def summary_of(target: Path, made: BuildRecord) -> str:
    """The summary in Markdown."""
    return summary.markdown(proofs.told(target, made), html.smoke_of(target, made))


def _suites(target: Path, made: BuildRecord) -> Iterator[JunitSuite]:
    smoke = html.smoke_of(target, made)
    if smoke is not None:
        yield junit.of_smoke(smoke)
    for one in made.lab:
        if not one.current:
            continue
        try:
            yield from junit.of_verdict(verdicts.load(target / one.folder / verdicts.FILE))
        except (OSError, msgspec.DecodeError):  # it was taken away meanwhile
            continue


def write_findings(target: Path, found: ProfileFindings, root: Path) -> tuple[CodeFinding, ...]:
    """Write the findings about patches; returns them.

    ``target``: a profile's folder in ``artifacts/``.  ``root``: the checkout.
    """
    findings = tuple(finding.of_findings(found, root))
    _write(target / CI / PATCHES, junit.encode(junit.of_findings(found)))
    _write(target / CI / SARIF, finding.as_sarif(findings))
    elsewhere = f"specs/{target.name}/{FILE_NAME}"
    _write(target / CI / QUALITY, finding.as_code_quality(findings, elsewhere))
    return findings


def _write(path: Path, data: bytes) -> None:
    if not path.is_file() or path.read_bytes() != data:
        write_whole(path, data)
