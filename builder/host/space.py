"""Disk space: how much there is, and whether a lack of it is the cause of a failure.

Needs only Python itself, because the set-up uses it, too, before there are any packages.
"""

from __future__ import annotations

import errno
import os
import re
from dataclasses import dataclass
from pathlib import Path

from builder.errors import EnvironmentFailure

MIB = 1 << 20
# A file system with less than this is full, whatever a program reports.
LEAST_BYTES = MIB
FULL = re.compile(
    # the C library (strerror(3)), apt, rpm's test of a transaction, and SQLite
    r"no space left|disk quota exceeded|enough free space|more space needed on the"
    r"|needs \d+\w+ (more space )?on the|disk is full|no usable temporary directory",
    re.IGNORECASE,
)
"""How programs say that a disk or a quota is used up."""
KNOWS_NEED = "bytes are free there"
"""Words of ``full_disk``, which also says how much is needed."""
_NUMBERS = frozenset({errno.ENOSPC, errno.EDQUOT})


def is_full(error: OSError) -> bool:
    """Whether ``error`` says that a disk or a quota is used up."""
    return error.errno in _NUMBERS


def tells_full(words: str) -> bool:
    """Whether a program's words say that a disk or a quota is used up."""
    return FULL.search(words) is not None


def full_disk(what: str, folder: Path, needed: int | None) -> EnvironmentFailure:
    """The error to raise when ``folder``'s disk is full; ``needed``: bytes still to write."""
    more = f"at least {needed} bytes more are needed" if needed else "more bytes are needed"
    return EnvironmentFailure(
        f"{what}: no space left in {folder}",
        f"{file_system(folder).free} {KNOWS_NEED}, {more}",
        "free space there (`invoke clean` drops what can be made again) or set LVS_BUILDER_CACHE "
        "to a folder on a larger disk; what was finished is kept",
    )


@dataclass(frozen=True)
class FileSystem:
    """One file system: where it is mounted, its size and its free space, in bytes.

    ``files``: how many more files it can hold; None if it has no such limit.
    """

    mount: Path
    size: int
    free: int
    files: int | None

    @property
    def is_full(self) -> bool:
        return self.size > 0 and (self.free < LEAST_BYTES or self.files == 0)

    def __str__(self) -> str:
        more = ", and no further file can be made" if self.files == 0 else ""
        return (
            f"{self.mount}, a file system of {self.size / MIB:.1f} MiB, "
            f"has {self.free / MIB:.1f} MiB free now{more}"
        )


def file_system(path: Path) -> FileSystem:
    """The file system that ``path`` is on, or would be on if it existed."""
    place = next(one for one in (path, *path.parents) if one.exists()).resolve()
    device = place.stat().st_dev
    mount = place
    while mount != mount.parent and mount.parent.stat().st_dev == device:
        mount = mount.parent
    found = os.statvfs(place)
    return FileSystem(
        mount,
        found.f_blocks * found.f_frsize,
        found.f_bavail * found.f_frsize,
        found.f_favail if found.f_files else None,
    )
