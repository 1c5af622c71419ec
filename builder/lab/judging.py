"""Computes the verdict on a recording's folder: pure, so that it can be repeated at any time."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from builder.lab import folder as folders
from builder.lab.capture import files
from builder.lab.capture.packet import Packet
from builder.lab.oracle import judge as oracle
from builder.lab.oracle import views
from builder.lab.oracle.evidence import Evidence
from builder.lab.recording import Recording, RunRecord, Span
from builder.lab.series import Fullnat
from builder.lab.verdict import RunVerdict, Verdict

Captures = Mapping[str, tuple[Packet, ...]]


@dataclass(frozen=True)
class Judged:
    """A verdict and what it is based on: all that a page shows."""

    verdict: Verdict
    recording: Recording
    evidence: tuple[Evidence, ...]


def judge(folder: Path) -> Judged:
    """Judge what was recorded in ``folder``; the same folder always gives the same verdict.

    Raises UsageError and VerificationError for a folder that is not a complete recording
    (``folder.read``), and SmokeError for captures that cannot be read.
    """
    recording = folders.read(folder)
    captures = {
        place: files.read(folders.capture(folder, place), place).packets
        for place in recording.places
    }
    evidence = tuple(evidence_of(record, recording, captures) for record in recording.runs)
    runs = tuple(
        oracle.judge(one, log_complaint(record, recording.series))
        for one, record in zip(evidence, recording.runs, strict=True)
    )
    verdict = _verdict(recording, evidence, runs, str(folders.seal_of(folder)))
    return Judged(verdict, recording, evidence)


def evidence_of(record: RunRecord, recording: Recording, captures: Captures) -> Evidence:
    """The evidence that a run left."""
    return Evidence(
        record.run,
        recording.series,
        recording.topology,
        record.exchanges,
        {place: _within(captures[place], span) for place, span in record.spans.items()},
        captures,
        record.answers,
        record.counters,
    )


def _within(packets: tuple[Packet, ...], span: Span) -> tuple[Packet, ...]:
    return tuple(packet for packet in packets if span.after < packet.frame <= span.last)


def log_complaint(record: RunRecord, series: Fullnat) -> str:
    """What is missing in the kernel's log; empty if nothing is."""
    if record.run.logged and not re.search(series.refusal, record.log):
        return f"the kernel's log has no line like {series.refusal!r}"
    return ""


def _verdict(
    recording: Recording,
    evidence: tuple[Evidence, ...],
    runs: tuple[RunVerdict, ...],
    seal: str,
) -> Verdict:
    subject = recording.subject
    proven = all(run.as_expected for run in runs)
    complaint = "; ".join(f"{run.name}: {run.complaint}" for run in runs if run.complaint)
    return Verdict(
        scenario=recording.scenario.name,
        summary=recording.scenario.summary,
        profile=subject.profile,
        outcome="unsupported" if recording.unsupported else "pass" if proven else "fail",
        complaint=recording.unsupported or complaint,
        subject=subject,
        companion=recording.companion,
        experiment=recording.experiment,
        recording=seal,
        recorded=recording.moment,
        kernel_release=recording.kernel_release or subject.release,
        accelerator=recording.accelerator,
        seconds=recording.timing.total,
        timing=recording.timing,
        memory_mib=recording.memory_mib,
        runs=runs,
        views=next((found for one in evidence if (found := views.four(one))), ()),
    )
