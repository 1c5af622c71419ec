"""Lay out a project folder with what the toolkit builds from, for people to change."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from builder import shipped
from builder.errors import UsageError
from builder.host.removal import remove

PARTS = ("dockerfiles", "patches", "sources", "specs")
"""In this order: the last one makes it a project (``builder.host.paths.Project.is_laid_out``)."""
IGNORE = ".gitignore"
IGNORED = "/artifacts/\n/sources/*\n!/sources/README.md\n"
_COMPILED = shutil.ignore_patterns("__pycache__", "*.pyc")
_README = "README.md"


def init(target: Path) -> None:
    """Lay out a project in ``target``, which is new or empty.

    Everything is copied aside first, so that a folder becomes a project only when it is complete.
    Raises UsageError if the folder is not empty, OSError if it cannot be written.
    """
    if target.exists() and not target.is_dir():
        raise UsageError(f"{target} is not a folder", "a project is a folder", "give another name")
    target.mkdir(parents=True, exist_ok=True)
    if found := sorted(path.name for path in target.iterdir()):
        raise UsageError(
            f"{target} is not empty",
            f"there is {found[0]}{' and more' if found[1:] else ''}",
            "give the name of a new folder",
        )
    aside = Path(tempfile.mkdtemp(prefix=".init-", dir=target))
    try:
        for name in PARTS:
            _copy(shipped.folder() / name, aside / name)
        (aside / IGNORE).write_text(IGNORED, encoding="utf-8")
        for name in (IGNORE, *PARTS):
            (aside / name).rename(target / name)
    finally:
        remove(aside, target)


def _copy(origin: Path, copy: Path) -> None:
    """Copy files for the user to change: writable, whatever the installed files' modes."""
    if origin.name == "sources":  # the files that a user has put there are that user's
        copy.mkdir()
        shutil.copyfile(origin / _README, copy / _README)
        return
    shutil.copytree(origin, copy, ignore=_COMPILED)
    for folder, _, files in os.walk(copy):
        for path in (Path(folder), *(Path(folder, file) for file in files)):
            path.chmod(path.stat().st_mode | 0o200)
