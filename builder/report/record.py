"""``build.json``: every input with its digest, every stage, every output, and how the run ended."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import msgspec

from builder import digest
from builder.base.packages import BasePackage
from builder.digest import Digest
from builder.pipeline.facts import Facts, of_texts
from builder.pipeline.provenance import Provenance
from builder.pipeline.stage import Done, OutputFile
from builder.report.history import BuildSummary
from builder.report.origin import RunOrigin

FORMAT = 3
"""Of ``build.json``; until 2 all facts were texts, and of no kind."""

Outcome = Literal["running", "passed", "failed", "interrupted"]
State = Literal["failed", "stopped", "not begun"]


class StageRecord(msgspec.Struct, frozen=True):
    """One stage: ``hit`` tells that nothing had changed and it was not run this time.

    ``started``: seconds since the epoch.  ``seconds``: how long it took when it ran.
    ``provenance``: where its output was made, if not here; the times are then of the transfer.
    """

    name: str
    key: Digest
    hit: bool
    started: float
    seconds: float
    inputs: dict[str, str]
    facts: Facts
    provenance: Provenance | None = None


class Unfinished(msgspec.Struct, frozen=True):
    """A stage that the run wanted and did not finish.

    ``seconds``: how long it had been running.  ``started``: seconds since the epoch, 0 if it was
    not begun, or an earlier version wrote the record.  ``needs``: the stages that it waited for.
    """

    name: str
    state: State
    seconds: float = 0.0
    started: float = 0.0
    needs: tuple[str, ...] = ()


class ImageRecord(msgspec.Struct, frozen=True):
    """The packages of one of the base's images, and how they compare with the base's lock.

    ``root``: the lock's table for it.  ``lock``: the lock's path in the checkout, empty if it has
    no such table; ``differing`` (how many packages differ) is None then.  ``difference``: what
    differs, in words.
    """

    stage: str
    root: str
    packages: tuple[BasePackage, ...]
    lock: str = ""
    differing: int | None = None
    difference: str = ""


class Failure(msgspec.Struct, frozen=True):
    """Why a run or a command failed: its three lines, and the exit status.

    ``stage``: where, empty if in none.  ``log``: below ``artifacts/<profile>/`` where the run
    publishes one, else a path of this host; empty if there is none.
    """

    what: str
    cause: str
    hint: str
    stage: str
    log: str
    status: int


class Earlier(msgspec.Struct, frozen=True):
    """A folder of ``artifacts/<profile>/`` that the run did not make: an earlier one did.

    ``key`` and ``made`` (seconds since the epoch) are those of the stage that put it out, and
    ``outputs`` its files with their paths below ``artifacts/<profile>/``; empty if not known.
    """

    folder: str
    key: str = ""
    made: float = 0.0
    outputs: tuple[OutputFile, ...] = ()


class LabRecord(msgspec.Struct, frozen=True):
    """A verdict of the lab in ``folder``, and the image that it is about.

    ``page``: where people read it.

    ``current``: that image is the one in ``vm/``; the verdict proves nothing about any other.
    ``key``: of the stage that made it, empty if none did.  ``image``, ``kernel_rpms``,
    ``experiment`` (scenario with topology) and ``recording``: SHA-256 digests; empty if the verdict
    is from a version that did not record them.  ``held``: how many assertions of the proof hold;
    ``unjudged``: those that do not apply; in a verdict that is not ``pass``, all of which nothing
    is known.
    """

    scenario: str
    folder: str
    page: str
    outcome: str
    current: bool
    key: str = ""
    flavour: str = ""
    base: str = ""
    kernel_release: str = ""
    image: str = ""
    kernel_rpms: dict[str, str] = {}
    experiment: str = ""
    recording: str = ""
    held: int = 0
    unjudged: tuple[str, ...] = ()


class BuildRecord(msgspec.Struct, frozen=True):
    """What one run settled; ``outputs`` are paths below ``artifacts/<profile>/``.

    Only ``outputs`` belong to this run.  ``images``: what it was built in.  ``lab``: the published
    verdicts, whoever made them.  ``earlier``: what else is in the folder.  ``unpublished``:
    finished outputs that could not be published, with the reason.  A run that is ``running`` is
    still in progress, or was killed.  ``origin``: of the last run in which anything was done.
    ``builds``: the last ones of this flavour and base that passed, the newest first.
    """

    profile: str
    flavour: str
    base: str
    stages: tuple[StageRecord, ...]
    outputs: tuple[OutputFile, ...]
    format: int = FORMAT
    outcome: Outcome = "passed"
    failure: Failure | None = None
    unfinished: tuple[Unfinished, ...] = ()
    unpublished: dict[str, str] = {}
    earlier: tuple[Earlier, ...] = ()
    images: tuple[ImageRecord, ...] = ()
    lab: tuple[LabRecord, ...] = ()
    origin: RunOrigin | None = None
    builds: tuple[BuildSummary, ...] = ()


def record(
    profile: str,
    flavour: str,
    base: str,
    done: Mapping[str, Done],
    outputs: Iterable[OutputFile],
) -> BuildRecord:
    """The record of a run that passed, stages in the order in which they started."""
    stages = sorted(done.values(), key=lambda entry: (entry.manifest.started, entry.name))
    return BuildRecord(
        profile=profile,
        flavour=flavour,
        base=base,
        stages=tuple(
            StageRecord(
                name=entry.name,
                key=entry.key,
                hit=entry.hit,
                started=entry.manifest.started,
                seconds=entry.manifest.seconds,
                inputs=entry.manifest.inputs,
                facts=entry.manifest.facts,
                provenance=entry.manifest.provenance,
            )
            for entry in stages
        ),
        outputs=tuple(outputs),
    )


def encode(made: BuildRecord) -> bytes:
    return digest.encode(made) + b"\n"


def decode(data: bytes) -> BuildRecord:
    """A record of this format or of an earlier one.

    Raises msgspec.DecodeError if it is not a record.
    """
    if digest.decode(data, _Dated).format >= FORMAT:
        return digest.decode(data, BuildRecord)
    return msgspec.convert(_typed(data), BuildRecord, strict=False, dec_hook=digest.read_hook)


class _Dated(msgspec.Struct, frozen=True):
    """The part of a record that says how to read the rest."""

    format: int = 2


class _OldStage(msgspec.Struct, frozen=True):
    """The part of a stage's record that earlier formats wrote in another way."""

    name: str
    facts: dict[str, str]


class _OldRecord(msgspec.Struct, frozen=True):
    stages: tuple[_OldStage, ...]


def _typed(data: bytes) -> Any:
    """An earlier format's record as JSON's values, its facts with kinds."""
    old = digest.decode(data, _OldRecord)
    found = digest.decode(data, dict[str, Any])
    for stage, known in zip(found["stages"], old.stages, strict=True):
        stage["facts"] = of_texts(known.name, known.facts)
    return found | {"format": FORMAT}
