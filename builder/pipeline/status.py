"""Whether files look untouched, by what the file system says without reading them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

Status = dict[str, tuple[int, int, int, int]]
"""Inode, mode, size in bytes and time of the last change in nanoseconds, by path."""


def look(root: Path, names: Iterable[str]) -> Status:
    """The status of these paths below ``root``.  Raises OSError if one is not there."""
    return {name: _status(root / name) for name in names}


def unchanged(root: Path, before: Status) -> bool:
    """Whether everything that ``look`` saw is still the same; False if it saw nothing."""
    try:
        return bool(before) and all(_status(root / name) == state for name, state in before.items())
    except OSError:
        return False


def _status(path: Path) -> tuple[int, int, int, int]:
    found = path.lstat()
    return found.st_ino, found.st_mode, found.st_size, found.st_mtime_ns
