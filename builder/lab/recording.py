"""What was recorded of a scenario, apart from captures and consoles.

``recording.json`` is this value.  Together with the captures and consoles beside it, it has all
that a judge or a reader needs; nothing is looked up elsewhere afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from builder import digest
from builder.digest import Digest
from builder.lab.oracle.evidence import ClientAnswer, Exchange
from builder.lab.plan.host import Configuration
from builder.lab.scenario.model import Run, Scenario, Topology
from builder.lab.series import Fullnat
from builder.lab.subject import LabTiming, Subject

FORMAT = 1
"""Raised when an older judge would misread what is written."""


@dataclass(frozen=True)
class Span:
    """Frames of a capture that passed in a run: those after ``after``, up to ``last``."""

    after: int
    last: int


@dataclass(frozen=True)
class RunRecord:
    """What a run left.

    ``commands``: the director's.  ``spans``: by ``HOST-LINK``.  ``table``: the director's counters
    at its end, as printed; ``counters``: the part of them that was counted in this run.  ``log``:
    the director's kernel log.
    """

    run: Run
    commands: tuple[str, ...]
    exchanges: tuple[Exchange, ...]
    answers: tuple[ClientAnswer, ...]
    spans: dict[str, Span]
    counters: dict[str, int]
    table: str
    log: str


class Recording(msgspec.Struct, frozen=True):
    """One scenario, recorded.

    ``subject``: what is on trial.  ``companion``: the image of all hosts but directors, if it is
    another one.  ``moment``: when it began, in seconds since the epoch.  ``hosts``: how each was
    configured.  ``kernel_release``: what the director says.  ``unsupported``: why the scenario
    was not tried at all, in which case there are no hosts, runs and captures.
    """

    subject: Subject
    scenario: Scenario
    topology: Topology
    series: Fullnat
    moment: float
    format: int = FORMAT
    companion: Subject | None = None
    accelerator: str = ""
    kernel_release: str = ""
    memory_mib: int = 0
    timing: LabTiming = LabTiming()
    hosts: tuple[Configuration, ...] = ()
    runs: tuple[RunRecord, ...] = ()
    unsupported: str = ""

    @property
    def experiment(self) -> Digest:
        """The digest of scenario and topology as they were tried."""
        return experiment_digest(self.scenario, self.topology)

    @property
    def places(self) -> tuple[str, ...]:
        """All captures that it must have, as ``HOST-LINK``."""
        return () if self.unsupported else places_of(self.topology)


def experiment_digest(scenario: Scenario, topology: Topology) -> Digest:
    """The digest of their content, however the files spell it."""
    return digest.of_bytes(msgspec.json.encode((scenario, topology), order="deterministic"))


def places_of(topology: Topology) -> tuple[str, ...]:
    """Every host's end of every link, as ``HOST-LINK``."""
    return tuple(
        f"{name}-{card.link}" for name, host in topology.host.items() for card in host.interface
    )
