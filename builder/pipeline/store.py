"""The finished outputs of stages: whole or not there at all.

A stage writes into a scratch folder; when it ends well, its manifest is written beside
its output and the folder is renamed into place.  A kill before the rename costs that
stage and nothing else.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from builder.host.paths import Cache
from builder.host.removal import remove
from builder.pipeline import digest
from builder.pipeline.digest import Input
from builder.pipeline.stage import Done, Manifest, OutputFile

MANIFEST = "stage.json"
LOG = "stage.log"
OUTPUT = "output"
KEY_LENGTH = 20


def folder_name(stage: str) -> str:
    """A stage's name as a folder name (``build:kernel`` → ``build-kernel``)."""
    return stage.replace(":", "-")


@dataclass(frozen=True)
class Store:
    """Finished outputs of all stages, ``<cache>/stages/<stage>/<key>/``."""

    cache: Cache

    def place(self, stage: str, key: str) -> Path:
        return self.cache.stages / folder_name(stage) / key[:KEY_LENGTH]

    def find(self, stage: str, key: str, *, by_content: bool = False) -> Done | None:
        """The finished output for this key, if there is one and its files are all there."""
        place = self.place(stage, key)
        try:
            manifest = msgspec.json.decode((place / MANIFEST).read_bytes(), type=Manifest)
        except (FileNotFoundError, NotADirectoryError, msgspec.DecodeError):
            return None
        if manifest.key != key or not _all_there(place / OUTPUT, manifest.outputs):
            return None
        return Done(stage, key, place / OUTPUT, True, manifest, by_content)

    def commit(
        self,
        stage: str,
        key: str,
        inputs: Iterable[Input],
        work: Path,
        *,
        listed: bool,
        by_content: bool,
        started: float,
        facts: dict[str, str],
        log: Path,
    ) -> Done:
        """Move the finished ``work / OUTPUT`` into place and return what it is.

        The log at ``log`` goes with it.  The folder that another run may have put there
        in the meantime is replaced.
        """
        outputs = tuple(_list(work / OUTPUT)) if listed else ()
        manifest = Manifest(
            stage=stage,
            key=key,
            inputs={entry.name: entry.value for entry in inputs},
            outputs=outputs,
            started=started,
            seconds=time.time() - started,
            facts=facts,
        )
        (work / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(manifest)))
        if log.is_file():
            shutil.copyfile(log, work / LOG)
        place = self.place(stage, key)
        place.parent.mkdir(parents=True, exist_ok=True)
        _sync(work)  # a full disk may show only here: nothing has been removed yet
        remove(place, self.cache.stages)
        work.rename(place)
        return Done(stage, key, place / OUTPUT, False, manifest, by_content)


def _list(root: Path) -> Iterable[OutputFile]:
    for path in sorted(root.rglob("*")):
        if path.is_file() and not path.is_symlink():
            yield OutputFile(str(path.relative_to(root)), path.stat().st_size, digest.of_file(path))


def _all_there(root: Path, outputs: tuple[OutputFile, ...]) -> bool:
    """Are all files there with their sizes?  (Bytes were checked when they were written.)"""
    if not root.is_dir():
        return False
    for entry in outputs:
        try:
            if (root / entry.path).stat().st_size != entry.size:
                return False
        except OSError:
            return False
    return True


def _sync(folder: Path) -> None:
    """Bring the manifest to the disk before its folder gets its final name."""
    for path in (folder / MANIFEST, folder):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
