"""The lab's verdicts in ``artifacts/<profile>/``, each compared with the image there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from builder.lab import tally
from builder.lab import verdict as verdicts
from builder.lab.verdict import Verdict
from builder.pipeline.stage import OutputFile
from builder.pipeline.stagename import StageKind, is_of, parse
from builder.report.filenames import PAGE
from builder.report.record import BuildRecord, LabRecord

PAGES = (PAGE, verdicts.FILE)
IMAGE = "vm/director.qcow2"


def told(target: Path, made: BuildRecord) -> BuildRecord:
    """The record, with the lab's verdicts in ``target`` added."""
    return msgspec.structs.replace(made, lab=tuple(_records(target, made)))


def _records(target: Path, made: BuildRecord) -> Iterator[LabRecord]:
    image = next((one.sha256 for one in _files(made) if one.path == IMAGE), "")
    keys = {
        f"lab/{parse(one.name).subject}": one.key
        for one in made.stages
        if is_of(one.name, StageKind.LAB)
    }
    earlier = {one.folder: one.key for one in made.earlier}
    folders = {one.path.rpartition("/")[0] for one in _files(made)} | earlier.keys()
    for folder in sorted(one for one in folders if one.startswith("lab/") and one.count("/") == 1):
        verdict = _read(target / folder)
        if verdict is not None:
            key = keys.get(folder) or earlier.get(folder, "")
            page = next(one for one in PAGES if (target / folder / one).is_file())
            yield _record(folder, f"{folder}/{page}", verdict, key, image)


def _files(made: BuildRecord) -> Iterator[OutputFile]:
    yield from made.outputs
    for one in made.earlier:
        yield from one.outputs


def _read(folder: Path) -> Verdict | None:
    try:
        # Only a regular file has bytes to read; reading a pipe would block.
        return verdicts.load(folder / verdicts.FILE) if (folder / verdicts.FILE).is_file() else None
    except (OSError, msgspec.DecodeError):
        return None


def _record(folder: str, page: str, verdict: Verdict, key: str, image: str) -> LabRecord:
    tried, counted = verdict.subject, tally.of_runs(verdict.proofs)
    if tried is None:
        return LabRecord(verdict.scenario, folder, page, verdict.outcome, current=False, key=key)
    return LabRecord(
        verdict.scenario,
        folder,
        page,
        verdict.outcome,
        current=bool(image) and tried.image == image,
        key=key,
        flavour=tried.flavour,
        base=tried.base,
        kernel_release=verdict.kernel_release,
        image=str(tried.image),
        kernel_rpms={name: str(digest) for name, digest in tried.kernel_rpms.items()},
        experiment=verdict.experiment,
        recording=verdict.recording,
        held=counted.held,
        unjudged=counted.unjudged,
    )
