"""``build.json``: every input with its digest, every stage, every output."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from builder import digest
from builder.digest import Digest
from builder.pipeline.stage import Done, OutputFile


class StageRecord(msgspec.Struct, frozen=True):
    """One stage: ``hit`` tells that nothing had changed and it was not run this time.

    ``started``: seconds since the epoch.  ``seconds``: how long it took when it ran.
    """

    name: str
    key: Digest
    hit: bool
    started: float
    seconds: float
    inputs: dict[str, str]
    facts: dict[str, str]


class BuildRecord(msgspec.Struct, frozen=True):
    """What one run settled; ``outputs`` are paths below ``artifacts/<profile>/``."""

    profile: str
    flavour: str
    base: str
    stages: tuple[StageRecord, ...]
    outputs: tuple[OutputFile, ...]
    format: int = 1


def record(
    profile: str,
    flavour: str,
    base: str,
    done: Mapping[str, Done],
    outputs: Iterable[OutputFile],
) -> BuildRecord:
    """The record of a run, stages in the order in which they started."""
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
            )
            for entry in stages
        ),
        outputs=tuple(outputs),
    )


def encode(made: BuildRecord) -> bytes:
    return digest.encode(made) + b"\n"


def decode(data: bytes) -> BuildRecord:
    """Raises msgspec.DecodeError for what is no record of this format."""
    return digest.decode(data, BuildRecord)
