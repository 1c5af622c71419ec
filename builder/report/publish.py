"""Brings finished outputs into ``artifacts/<profile>/``: each folder whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from builder.digest import Digest, decode, encode
from builder.errors import VerificationError
from builder.host import listing
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
    """What was published as a folder: the stage's key, and how it looked afterwards."""

    key: Digest
    status: Status


def stale(
    target: Path, publications: tuple[Publication, ...], done: Mapping[str, Done]
) -> dict[str, str]:
    """The stages whose folders are to be copied, each with what has changed in its folder.

    Empty words: nothing was published yet, or another output.  Folders that do not look untouched
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
            faults = [words for _, words in _compare(folder, stage.manifest.outputs) if words]
            if faults:
                found[stage.name] = faults[0]
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
        now = Published(stage.key, look(folder, _with_folders(stage.manifest.outputs)))
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

    It is read whole, and a folder that is not on record is not judged.  Raises VerificationError
    if it has changed.
    """
    faults = [fault for _, fault in faults_of(target, folder) if fault]
    if faults:
        raise VerificationError(
            f"{target / folder} is not what was built",
            "\n".join(faults),
            f"publish it again: invoke build --profile {target.name}",
        )


def faults_of(target: Path, folder: str = "") -> Iterator[tuple[str, str]]:
    """Read all published folders, or one; yields each path below ``target`` with what is wrong.

    Empty words: it is what ``build.json`` says.  What is in a folder and not on record is wrong.
    Raises VerificationError if ``build.json`` is no record.
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
    folders: dict[str, list[OutputFile]] = {}
    for entry in made.outputs:
        top, _, path = entry.path.partition("/")
        folders.setdefault(top, []).append(OutputFile(path, entry.size, entry.sha256))
    for top, outputs in folders.items():
        if folder in ("", top):
            for path, words in _compare(target / top, outputs):
                place = f"{top}/{path}" if path else top
                yield place, words and f"{top}/{words}" if path else words


def withdraw(target: Path, folder: str) -> None:
    """Take a published folder away, also off the record: the next build publishes it again."""
    remove(target / folder, target)
    made = record.decode((target / RECORD).read_bytes())
    kept = tuple(entry for entry in made.outputs if entry.path.partition("/")[0] != folder)
    write_whole(target / RECORD, record.encode(msgspec.structs.replace(made, outputs=kept)))


def _read_published(target: Path) -> dict[str, Published]:
    try:
        return decode((target / KEYS).read_bytes(), dict[str, Published])
    except (FileNotFoundError, msgspec.DecodeError):
        return {}


def _with_folders(outputs: Iterable[OutputFile]) -> list[str]:
    """The files and all folders that they lie in, whose times tell what was added."""
    paths = [Path(entry.path) for entry in outputs]
    return sorted({str(one) for path in paths for one in (path, *path.parents)} | {"."})


def _compare(folder: Path, outputs: Iterable[OutputFile]) -> Iterator[tuple[str, str]]:
    """Read a published folder: every path in it with what is wrong, empty words if nothing is.

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
