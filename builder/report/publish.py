"""Brings finished outputs into ``artifacts/<profile>/``: each folder whole or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from builder.digest import Digest, decode, encode, of_file
from builder.errors import VerificationError
from builder.host.removal import remove
from builder.pipeline.ledger import write_whole
from builder.pipeline.stage import Done, OutputFile
from builder.pipeline.status import Status, look, unchanged
from builder.pipeline.store import LOG, folder_name
from builder.report import record

RECORD = "build.json"
KEYS = ".published.json"


@dataclass(frozen=True)
class Publication:
    """One stage's output that users get: its folder below ``artifacts/<profile>/``."""

    stage: str
    folder: str


class Published(msgspec.Struct, frozen=True):
    """What was published as a folder: the stage's key, and how its files looked afterwards."""

    key: Digest
    status: Status


def stale(
    target: Path, publications: tuple[Publication, ...], done: Mapping[str, Done]
) -> dict[str, str]:
    """The stages whose folders are to be copied, each with what has changed in its folder.

    Empty words: nothing was published yet, or another output.  Files that do not look untouched
    are read.
    """
    found: dict[str, str] = {}
    published = _read_published(target)
    for publication in publications:
        stage = done.get(publication.stage)
        if stage is None:
            continue
        folder, known = target / publication.folder, published.get(publication.folder)
        if known is None or known.key != stage.key or not folder.is_dir():
            found[stage.name] = ""
        elif not unchanged(folder, known.status):
            fault = _fault(folder, stage.manifest.outputs)
            if fault:
                found[stage.name] = fault
    return found


def publish(
    target: Path,
    publications: tuple[Publication, ...],
    done: Mapping[str, Done],
    renewed: Collection[str],
    *,
    profile: str,
    flavour: str,
    base: str,
) -> record.BuildRecord:
    """Copy the outputs of the stages ``renewed`` (see ``stale``) and write ``build.json``.

    What is there already is left alone.
    """
    target.mkdir(parents=True, exist_ok=True)
    published = _read_published(target)
    outputs: list[OutputFile] = []
    for publication in publications:
        if publication.stage not in done:
            continue
        stage, folder = done[publication.stage], target / publication.folder
        if stage.name in renewed:
            _copy(stage.path, folder)
        names = [entry.path for entry in stage.manifest.outputs]
        now = Published(stage.key, look(folder, names))
        if published.get(publication.folder) != now:
            published[publication.folder] = now
            write_whole(target / KEYS, encode(published))
        outputs += [
            OutputFile(f"{publication.folder}/{entry.path}", entry.size, entry.sha256)
            for entry in stage.manifest.outputs
        ]
    _copy_logs(target / "logs", done)
    made = record.record(profile, flavour, base, done, outputs)
    text = record.encode(made)
    if not (target / RECORD).is_file() or (target / RECORD).read_bytes() != text:
        write_whole(target / RECORD, text)
    return made


def require(target: Path, folder: str) -> None:
    """Hold a published folder that is about to be used against ``build.json``.

    Files that look untouched are not read, and what is not on record is not judged.  Raises
    VerificationError for files that have changed.
    """
    known = _read_published(target).get(folder)
    if known is not None and unchanged(target / folder, known.status):
        return
    faults = [fault for _, fault in faults_of(target, folder) if fault]
    if faults:
        raise VerificationError(
            f"{target / folder} is not what was built",
            "\n".join(faults),
            f"publish it again: invoke build --profile {target.name}",
        )


def faults_of(target: Path, folder: str = "") -> Iterator[tuple[OutputFile, str]]:
    """Read every published file, or those of one folder; yields each with what is wrong.

    Empty words: it is what ``build.json`` says.  Raises VerificationError if that is no record.
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
    for entry in made.outputs:
        if not folder or entry.path.startswith(f"{folder}/"):
            yield entry, _fault(target, (entry,))


def withdraw(target: Path, folder: str) -> None:
    """Take a published folder away, so that the next build publishes it again."""
    remove(target / folder, target)


def _read_published(target: Path) -> dict[str, Published]:
    try:
        return decode((target / KEYS).read_bytes(), dict[str, Published])
    except (FileNotFoundError, msgspec.DecodeError):
        return {}


def _fault(folder: Path, outputs: Iterable[OutputFile]) -> str:
    """The first file that is not as it was published; empty if all are."""
    for entry in outputs:
        path = folder / entry.path
        try:
            if path.lstat().st_size != entry.size or of_file(path) != entry.sha256:
                return f"{entry.path} has changed"
        except OSError as error:
            return f"{entry.path}: {error.strerror}"
    return ""


def _copy(origin: Path, folder: Path) -> None:
    aside = folder.with_name(f".{folder.name}.new")
    remove(aside, folder.parent)
    try:
        shutil.copytree(origin, aside, symlinks=True)
    except OSError:
        remove(aside, folder.parent)  # the disk may be full of it
        raise
    remove(folder, folder.parent)
    aside.rename(folder)


def _copy_logs(folder: Path, done: Mapping[str, Done]) -> None:
    """The log of every stage that is settled, from when it ran."""
    folder.mkdir(exist_ok=True)
    for name, stage in done.items():
        origin = stage.path.parent / LOG
        copy = folder / f"{folder_name(name)}.log"
        if origin.is_file() and (
            not copy.is_file() or copy.stat().st_mtime < origin.stat().st_mtime
        ):
            shutil.copy2(origin, copy)
