"""``artifacts/<profile>/logs/``: the logs of one run's stages, and no others."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from builder.pipeline.stage import Done
from builder.pipeline.stagename import folder_of
from builder.pipeline.store import LOG

FOLDER = "logs"
SUFFIX = ".log"


def of_done(done: Mapping[str, Done]) -> dict[str, Path]:
    """The logs of settled stages, from when they ran, by the names that they are published by."""
    return {file_name(name): stage.path.parent / LOG for name, stage in done.items()}


def file_name(stage: str) -> str:
    return f"{folder_of(stage)}{SUFFIX}"


def publish(target: Path, origins: Mapping[str, Path]) -> None:
    """Replace ``target``'s logs with these, each whole; logs of other runs are removed."""
    folder = target / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for name, origin in origins.items():
        if origin.is_file() and not _is_copy(folder / name, origin):
            aside = folder / f".{name}.new"
            shutil.copy2(origin, aside)
            aside.replace(folder / name)
    for path in folder.iterdir():
        kept = path.name in origins and origins[path.name].is_file()
        if not kept and SUFFIX in path.suffixes:
            path.unlink()


def there(target: Path) -> frozenset[str]:
    """The names of the logs in ``target``."""
    try:
        return frozenset(one.name for one in (target / FOLDER).iterdir() if one.name[0] != ".")
    except OSError:
        return frozenset()


def _is_copy(copy: Path, origin: Path) -> bool:
    """Whether they have the same size and time, which a copy is given."""
    try:
        before, now = copy.stat(), origin.stat()
    except FileNotFoundError:
        return False
    return (before.st_size, before.st_mtime_ns) == (now.st_size, now.st_mtime_ns)


def place(path: Path, origins: Mapping[str, Path]) -> str:
    """Where a log is published below ``target``; empty if it is not."""
    names = (name for name, origin in origins.items() if os.fspath(origin) == os.fspath(path))
    name = next(names, "")
    return f"{FOLDER}/{name}" if name else ""
