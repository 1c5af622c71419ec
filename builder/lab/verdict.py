"""The verdict on a scenario: the value that is kept as ``verdict.json``, shown and printed."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from builder import digest
from builder.lab.subject import LabTiming, Subject

FILE = "verdict.json"
Outcome = Literal["pass", "fail", "undecided", "unsupported"]
Why = Literal["", "no capture", "nothing to judge", "not applicable", "not in captures"]
"""Of which kind the reason is that an assertion was not judged; empty for none of these."""


class Seen(msgspec.Struct, frozen=True):
    """A packet: frame number (from 1) in the capture ``captures/<place>.pcapng``."""

    capture: str
    frame: int
    text: str


class Fault(msgspec.Struct, frozen=True):
    """What was expected, and the packets that differ from it."""

    expected: str
    packets: tuple[Seen, ...] = ()


class RowVerdict(msgspec.Struct, frozen=True):
    """One assertion of the oracle.  ``seen``: what was judged, or the reason.

    ``undecided``: nothing is wrong, but the captures do not have all that it takes to say so.

    ``why``: of which kind the reason is if it was not judged.  ``no capture``: one side of the
    director was not captured.  ``nothing to judge``: there was no packet that it is about.
    ``not applicable``: the profile's FULLNAT or the director's settings have nothing of the kind.
    ``not in captures``: it takes more than captures to know.
    """

    name: str
    must_hold: str
    outcome: Outcome
    seen: str
    faults: tuple[Fault, ...] = ()
    why: Why = ""


class RunVerdict(msgspec.Struct, frozen=True):
    """One run.  A negative control is ``as_expected`` if what must fail did fail.

    ``complaint``: what is wrong with the run as a whole, if anything.
    """

    name: str
    title: str
    control: bool
    as_expected: bool
    complaint: str
    rows: tuple[RowVerdict, ...]
    answers: tuple[str, ...] = ()
    counters: dict[str, int] = {}


class View(msgspec.Struct, frozen=True):
    """One of the experiment's four views of a connection."""

    title: str
    capture: str
    frame: int
    ends: str


class Verdict(msgspec.Struct, frozen=True):
    """The verdict on one scenario.  ``seconds``: from power-on of the first host.

    ``outcome`` is ``unsupported``, with the reason in ``complaint``, if the profile's kernel
    or tools cannot do the scenario at all.  ``subject``: the image that it speaks of, and of no
    other; none in verdicts of earlier versions.  ``companion``: the image of all hosts but
    directors, if another.  ``experiment``: SHA-256 of scenario and topology.  ``recording``: of
    the recording's seal, empty if the experiment did not finish.  ``recorded``: when that
    began, in seconds since the epoch.
    """

    scenario: str
    summary: str
    profile: str
    outcome: Outcome
    complaint: str
    subject: Subject | None = None
    companion: Subject | None = None
    experiment: str = ""
    recording: str = ""
    recorded: float = 0.0
    kernel_release: str = ""
    accelerator: str = ""
    seconds: float = 0.0
    timing: LabTiming = LabTiming()
    memory_mib: int = 0
    runs: tuple[RunVerdict, ...] = ()
    views: tuple[View, ...] = ()

    @property
    def proofs(self) -> tuple[RunVerdict, ...]:
        return tuple(run for run in self.runs if not run.control)

    @property
    def controls(self) -> tuple[RunVerdict, ...]:
        return tuple(run for run in self.runs if run.control)


def save(verdict: Verdict, path: Path) -> None:
    path.write_bytes(encode(verdict))


def encode(verdict: Verdict) -> bytes:
    return digest.encode(verdict) + b"\n"


def load(path: Path) -> Verdict:
    """Raises msgspec.DecodeError for what is not a verdict."""
    return digest.decode(path.read_bytes(), Verdict)
