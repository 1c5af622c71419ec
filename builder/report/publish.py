"""Publishes finished outputs in ``artifacts/<profile>/``: each folder whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec

from builder.digest import Digest, decode, encode
from builder.errors import EnvironmentFailure, VerificationError
from builder.host import listing
from builder.host.removal import remove
from builder.host.whole import write_whole
from builder.pipeline.stage import Done, OutputFile
from builder.pipeline.stagename import StageKind
from builder.pipeline.status import Status, look, unchanged
from builder.report import logs, proofs, record
from builder.report.history import BuildSummary
from builder.report.origin import RunOrigin
from builder.report.record import BuildRecord, Earlier, Failure, ImageRecord, Outcome, Unfinished

RECORD = "build.json"
KEYS = ".published.json"
COMPONENTS = "components"
LAB = "lab"
_NEW = ".{name}.new"


class Publication(msgspec.Struct, frozen=True):
    """One stage's output that users get: its folder below ``artifacts/<profile>/``.

    ``until``: a stage whose output contains this output; once that stage is settled, this output is
    not published.  ``evidence``: if the stage fails, its output so far says why, and is published.
    """

    stage: str
    folder: str
    until: str = ""
    evidence: bool = False


class Published(msgspec.Struct, frozen=True):
    """What was published as a folder: the stage's key, and how it looked afterwards."""

    key: Digest
    status: Status


class Ending(msgspec.Struct, frozen=True):
    """How a run ended.

    ``logs``: of stages that were not finished, by their names in ``logs/``.  ``evidence``: what a
    failed stage has left, by folder.  ``withheld``: folders that are not published, and why.
    """

    outcome: Outcome = "passed"
    failure: Failure | None = None
    unfinished: tuple[Unfinished, ...] = ()
    logs: Mapping[str, Path] = msgspec.field(default_factory=dict)
    evidence: Mapping[str, Path] = msgspec.field(default_factory=dict)
    withheld: Mapping[str, str] = msgspec.field(default_factory=dict)


PASSED = Ending()


def current(
    publications: Iterable[Publication], done: Mapping[str, Done]
) -> tuple[Publication, ...]:
    """Publications whose stage is settled and whose output no other settled stage contains."""
    return tuple(one for one in publications if one.stage in done and one.until not in done)


def stale(
    target: Path, publications: tuple[Publication, ...], done: Mapping[str, Done]
) -> dict[str, str]:
    """The stages whose folders must be copied, each with what has changed in its folder.

    An empty text: nothing was published yet, or another output.  Folders that do not look untouched
    are read.
    """
    found: dict[str, str] = {}
    published = _read_published(target)
    for publication in current(publications, done):
        stage = done[publication.stage]
        folder, known = target / publication.folder, published.get(publication.folder)
        if known is None or known.key != stage.key or not folder.is_dir():
            found[stage.name] = ""
        elif not unchanged(folder, known.status):
            faults = [words for _, words in _compare(folder, stage.manifest.outputs) if words]
            if faults:
                found[stage.name] = faults[0]
    return found


def begin(
    target: Path,
    publications: Iterable[Publication],
    *,
    profile: str,
    flavour: str,
    base: str,
    origin: RunOrigin | None = None,
) -> BuildRecord:
    """Write a ``build.json`` that says that a run is in progress, so that a kill leaves no other.

    Everything in ``target`` is on record as an earlier run's.
    """
    target.mkdir(parents=True, exist_ok=True)
    earlier = _earlier(target, publications, frozenset(), read(target))
    made = record.record(profile, flavour, base, {}, ())
    made = msgspec.structs.replace(made, outcome="running", earlier=earlier, origin=origin)
    made = proofs.told(target, made)
    write_whole(target / RECORD, record.encode(made))
    return made


def publish(
    target: Path,
    publications: tuple[Publication, ...],
    done: Mapping[str, Done],
    renewed: Collection[str],
    *,
    profile: str,
    flavour: str,
    base: str,
    ending: Ending = PASSED,
    images: tuple[ImageRecord, ...] = (),
    origin: RunOrigin | None = None,
    builds: tuple[BuildSummary, ...] = (),
) -> BuildRecord:
    """Copy the outputs of the stages ``renewed`` (see ``stale``) and write ``build.json``.

    ``images``, ``origin`` and ``builds`` are written to it.  Files that are there already are left
    alone.  After a failure, a folder that cannot be copied is on record as such.
    """
    target.mkdir(parents=True, exist_ok=True)
    settled = current(publications, done)
    chosen = tuple(one for one in settled if one.folder not in ending.evidence)
    superseded = {one.folder for one in publications if one.stage in done} - {
        one.folder for one in settled
    }
    changing = {one.folder for one in chosen if one.stage in renewed}
    before = _forget(target, publications, {*changing, *ending.evidence, *superseded})
    lost = dict(ending.withheld)
    outputs: list[OutputFile] = []
    for publication in chosen:
        stage, folder = done[publication.stage], publication.folder
        if folder not in lost:
            with _noting(lost, folder, ending):
                _bring(stage, target, folder, renew=stage.name in renewed)
                outputs += _below(folder, stage.manifest.outputs)
    for folder, left in ending.evidence.items():
        with _noting(lost, folder, ending):
            _copy(left, target / folder)
            outputs += _below(folder, _files(target / folder))
    if superseded:
        for top in {folder.partition("/")[0] for folder in superseded}:
            remove(target / top, target)
    logs.publish(target, {**logs.of_done(done), **ending.logs})
    made = msgspec.structs.replace(
        record.record(profile, flavour, base, done, outputs),
        outcome=ending.outcome,
        failure=ending.failure,
        unfinished=ending.unfinished,
        unpublished=lost,
        earlier=_earlier(target, publications, {folder_of(one.path) for one in outputs}, before),
        images=images,
        origin=origin,
        builds=builds,
    )
    made = proofs.told(target, made)
    text = record.encode(made)
    if not (target / RECORD).is_file() or (target / RECORD).read_bytes() != text:
        write_whole(target / RECORD, text)
    return made


def outputs_of(chosen: Iterable[Publication], done: Mapping[str, Done]) -> Iterator[OutputFile]:
    """The files of settled publications, with their paths below ``artifacts/<profile>/``."""
    for one in chosen:
        yield from _below(one.folder, done[one.stage].manifest.outputs)


def folder_of(path: str) -> str:
    """The published folder that contains a path below ``artifacts/<profile>/``."""
    parts = path.split("/")
    return "/".join(parts[: 2 if parts[0] in (COMPONENTS, LAB) else 1])


@contextmanager
def _noting(lost: dict[str, str], folder: str, ending: Ending) -> Iterator[None]:
    """After a failure, note what could not be published instead of failing once more."""
    try:
        yield
    except (OSError, EnvironmentFailure) as error:
        if ending.failure is None:
            raise
        lost[folder] = str(error)


def _bring(stage: Done, target: Path, folder: str, *, renew: bool) -> None:
    if renew:
        _copy(stage.path, target / folder)
    now = Published(stage.key, look(target / folder, _with_folders(stage.manifest.outputs)))
    published = _read_published(target)
    if published.get(folder) != now:
        write_whole(target / KEYS, encode({**published, folder: now}))


def _files(folder: Path) -> Iterator[OutputFile]:
    for name, sha256 in listing.read(folder).files():
        yield OutputFile(name, (folder / name).stat().st_size, sha256)


def _below(folder: str, outputs: Iterable[OutputFile]) -> Iterator[OutputFile]:
    for entry in outputs:
        yield OutputFile(f"{folder}/{entry.path}", entry.size, entry.sha256)


def _forget(
    target: Path, publications: tuple[Publication, ...], folders: Collection[str]
) -> BuildRecord | None:
    """Take these folders off the record before they change, in case this run is killed.

    Returns the record without them; None if there is none.
    """
    for publication in publications:
        folder = target / publication.folder
        remove(folder.with_name(_NEW.format(name=folder.name)), target)
    made = read(target)
    if made is None or not folders:
        return made
    kept = _without(made, folders)
    if kept != made:
        kept = msgspec.structs.replace(kept, outcome="running")
        write_whole(target / RECORD, record.encode(kept))
    published = _read_published(target)
    left = {folder: one for folder, one in published.items() if folder not in folders}
    if left != published:
        write_whole(target / KEYS, encode(left))
    return kept


def _without(made: BuildRecord, folders: Collection[str]) -> BuildRecord:
    """The record without what it says of these folders."""
    return msgspec.structs.replace(
        made,
        outputs=tuple(one for one in made.outputs if folder_of(one.path) not in folders),
        earlier=tuple(one for one in made.earlier if one.folder not in folders),
    )


def _earlier(
    target: Path,
    publications: Iterable[Publication],
    own: Collection[str],
    made: BuildRecord | None,
) -> tuple[Earlier, ...]:
    """What is in ``target`` and is not from this run, whose folders are ``own``.

    ``made``: the record before this run.
    """
    known = {one.folder: one for one in made.earlier} if made is not None else {}
    if made is not None:
        stages = {stage.name: stage for stage in made.stages}
        for folder, outputs in _by_folder(made.outputs).items():
            stage = next((stages[name] for name in _stages_of(folder) if name in stages), None)
            known[folder] = Earlier(
                folder, stage.key if stage else "", stage.started if stage else 0.0, outputs
            )
    folders = known.keys() | {one.folder for one in publications}
    return tuple(
        known.get(folder, Earlier(folder))
        for folder in sorted(folders - set(own))
        if (target / folder).is_dir()
    )


def _by_folder(outputs: Iterable[OutputFile]) -> dict[str, tuple[OutputFile, ...]]:
    found: dict[str, list[OutputFile]] = {}
    for entry in outputs:
        found.setdefault(folder_of(entry.path), []).append(entry)
    return {folder: tuple(entries) for folder, entries in found.items()}


def _stages_of(folder: str) -> tuple[str, ...]:
    """The stages that may have made a published folder, the likeliest first."""
    top, _, name = folder.partition("/")
    if top == LAB:
        return (StageKind.LAB.of(name), StageKind.RECORD.of(name))
    return (StageKind.BUILD.of(name),) if top == COMPONENTS else (top,)


def read(target: Path) -> BuildRecord | None:
    """The record; None if there is none, or it cannot be read."""
    try:
        return record.decode((target / RECORD).read_bytes())
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def faults_of(target: Path, folder: str = "") -> Iterator[tuple[str, str]]:
    """Read all published folders, or one; yields each path below ``target`` with what is wrong.

    An empty text: it is what ``build.json`` says.  A file in a folder that is not on record is
    wrong.  Raises VerificationError if ``build.json`` is not a record.
    """
    try:
        made = record.decode((target / RECORD).read_bytes())
    except FileNotFoundError:
        return
    except msgspec.DecodeError as error:
        raise VerificationError(
            f"{target / RECORD} cannot be read",
            str(error),
            f"write it anew: invoke build --profile {target.name}",
        ) from error
    folders = _by_folder(made.outputs)
    folders |= {one.folder: one.outputs for one in made.earlier if one.outputs}
    for top, outputs in folders.items():
        if folder in ("", top):
            for path, words in _compare(target / top, _within(top, outputs)):
                place = f"{top}/{path}" if path else top
                yield place, words and f"{top}/{words}" if path else words


def _within(folder: str, outputs: Iterable[OutputFile]) -> Iterator[OutputFile]:
    for entry in outputs:
        yield OutputFile(entry.path.removeprefix(f"{folder}/"), entry.size, entry.sha256)


def withdraw(target: Path, folder: str) -> None:
    """Remove a published folder, also from the record; the next run publishes it again."""
    remove(target / folder, target)
    made = record.decode((target / RECORD).read_bytes())
    write_whole(target / RECORD, record.encode(_without(made, {folder})))


def _read_published(target: Path) -> dict[str, Published]:
    try:
        return decode((target / KEYS).read_bytes(), dict[str, Published])
    except (FileNotFoundError, msgspec.DecodeError):
        return {}


def _with_folders(outputs: Iterable[OutputFile]) -> list[str]:
    """The files and all folders that contain them, whose times show what was added."""
    paths = [Path(entry.path) for entry in outputs]
    return sorted({str(one) for path in paths for one in (path, *path.parents)} | {"."})


def _compare(folder: Path, outputs: Iterable[OutputFile]) -> Iterator[tuple[str, str]]:
    """Read a published folder: every path in it with what is wrong, an empty text if nothing is.

    An empty path is the folder's own.
    """
    try:
        if folder.is_symlink():
            yield "", f"{folder.name} is a symbolic link"
            return
        now = listing.read(folder).entries
    except OSError as error:
        yield "", str(error)
        return
    known = {os.fsencode(entry.path): entry for entry in outputs}
    folders = {os.fsencode(str(one)) for path in known for one in Path(os.fsdecode(path)).parents}
    for path in sorted(known.keys() | now.keys()):
        name, entry = os.fsdecode(path), known.get(path)
        kind, digest = now.get(path, b"")[:1].lower(), now.get(path, b"")[1:].decode()
        if entry is not None:
            same = kind in (b"f", b"x") and digest == entry.sha256
            words = "is missing" if not kind else "" if same else "has changed"
            if same and (folder / name).lstat().st_size != entry.size:
                words = "has another size than recorded"
            yield name, words and f"{name} {words}"
        elif kind != listing.FOLDER or path not in folders:
            yield name, f"{name} was added"


def _copy(origin: Path, folder: Path) -> None:
    aside = folder.with_name(_NEW.format(name=folder.name))
    folder.parent.mkdir(exist_ok=True)
    remove(aside, folder.parent)
    try:
        shutil.copytree(origin, aside, symlinks=True)
    except OSError:
        remove(aside, folder.parent)  # the disk may be full of it
        raise
    remove(folder, folder.parent)
    aside.rename(folder)
