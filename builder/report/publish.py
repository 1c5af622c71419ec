"""Brings finished outputs into ``artifacts/<profile>/``: each folder whole or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from builder.host.removal import remove
from builder.pipeline.ledger import write_whole
from builder.pipeline.stage import Done, OutputFile
from builder.pipeline.store import LOG, folder_name
from builder.report import record

RECORD = "build.json"
KEYS = ".published.json"


@dataclass(frozen=True)
class Publication:
    """One stage's output that users get: its folder below ``artifacts/<profile>/``."""

    stage: str
    folder: str


def publish(
    target: Path,
    publications: tuple[Publication, ...],
    done: Mapping[str, Done],
    *,
    profile: str,
    flavour: str,
    base: str,
) -> record.BuildRecord:
    """Copy what is new and write ``build.json``; what is there already is left alone.

    A folder whose files are missing or changed in size is copied again.
    """
    target.mkdir(parents=True, exist_ok=True)
    keys = _read_keys(target)
    outputs: list[OutputFile] = []
    for publication in publications:
        if publication.stage not in done:
            continue
        stage = done[publication.stage]
        folder = target / publication.folder
        if keys.get(publication.folder) != stage.key or not _complete(folder, stage):
            _copy(stage.path, folder)
            keys[publication.folder] = stage.key
            write_whole(target / KEYS, msgspec.json.encode(keys))
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


def _read_keys(target: Path) -> dict[str, str]:
    try:
        return msgspec.json.decode((target / KEYS).read_bytes(), type=dict[str, str])
    except (FileNotFoundError, msgspec.DecodeError):
        return {}


def _complete(folder: Path, stage: Done) -> bool:
    return folder.is_dir() and all(
        (folder / entry.path).is_file() and (folder / entry.path).stat().st_size == entry.size
        for entry in stage.manifest.outputs
    )


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
