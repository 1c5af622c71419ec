"""The contents of an environment: a list of its files with sizes, and whether all are there.

The list is written last, after everything else has reached the disk: a power cut leaves either
a whole environment or one without a list.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from builder.host.whole import write_whole

NAME = "contents.txt"
# Caches of Python's own, and what only making the environment needs.
_IGNORED = {"__pycache__", "pip", "setuptools"}


def packages(folder: Path) -> Path:
    """Where the environment in ``folder`` has its packages."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return folder / "lib" / version / "site-packages"


def record(folder: Path) -> None:
    """Mark the environment in ``folder`` as whole.  Raises OSError."""
    lines = sorted(f"{size} {name}" for name, size in _files(str(packages(folder))))
    os.sync()
    write_whole(folder / NAME, os.fsencode("".join(f"{line}\n" for line in (folder, *lines))))


def is_whole(folder: Path) -> bool:
    """Whether all recorded files are there in full size, for this Python and this place.

    In another place the first lines of its scripts would point to the old place.
    """
    try:
        listed = (folder / NAME).read_text(encoding="utf-8", errors="surrogateescape")
        place, *lines = listed.splitlines() or [""]
        if place != str(folder) or not os.access(folder / "bin/python", os.X_OK):
            return False
        present = {f"{size} {name}" for name, size in _files(str(packages(folder)))}
    except OSError:
        return False
    return present.issuperset(lines)


def _files(folder: str, before: str = "") -> Iterator[tuple[str, int]]:
    """Name below the top and size in bytes of every file."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if not entry.is_dir(follow_symlinks=False):
                yield before + entry.name, entry.stat(follow_symlinks=False).st_size
            elif entry.name not in _IGNORED:
                yield from _files(entry.path, f"{before}{entry.name}/")
