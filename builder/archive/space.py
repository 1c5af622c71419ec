"""A full disk, told as what it is: the folder, what is free there, what is needed."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from builder.errors import EnvironmentFailure

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


def is_full_disk(error: OSError) -> bool:
    """Whether ``error`` says that a disk or a quota is used up."""
    return error.errno in _FULL


def full_disk(what: str, folder: Path, needed: int | None) -> EnvironmentFailure:
    """The error to raise when ``folder``'s disk is full; ``needed``: bytes still to write."""
    more = f"at least {needed} bytes more are needed" if needed else "more bytes are needed"
    return EnvironmentFailure(
        f"{what}: no space left in {folder}",
        f"{_free(folder)} bytes are free there, {more}",
        "make room there (`invoke clean` drops what can be made again) or set LVS_BUILDER_CACHE "
        "to a folder on a larger disk; what was finished is kept",
    )


def _free(folder: Path) -> int:
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    room = os.statvfs(existing)
    return room.f_bavail * room.f_frsize
