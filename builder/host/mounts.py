"""List and detach mounts (proc(5), mountinfo; umount2(2))."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

_DETACH = 2  # MNT_DETACH
_NOFOLLOW = 8  # UMOUNT_NOFOLLOW
_ESCAPED = re.compile(rb"\\([0-7]{3})")


def _unescaped(point: bytes) -> str:
    """proc(5): space, tab, newline and backslash are written as octal escapes."""
    return os.fsdecode(_ESCAPED.sub(lambda found: bytes([int(found[1], 8)]), point))


def mounts_below(folders: Iterable[Path]) -> list[str]:
    """Mount points at and inside the folders, in this process's namespace, innermost first."""
    tops = {str(folder) for folder in folders}
    prefixes = tuple(f"{top}/" for top in tops)
    table = Path("/proc/self/mountinfo").read_bytes().splitlines()
    points = [_unescaped(line.split()[4]) for line in table]
    found = [point for point in points if point in tops or point.startswith(prefixes)]
    return sorted(found, key=len, reverse=True)


def detach_below(folders: Iterable[Path]) -> list[str]:
    """Detach every mount at and inside the folders; returns the mount points that remain.

    The mounted file system itself, and its other mounts, do not change.
    """
    import ctypes  # noqa: PLC0415 - most commands remove nothing

    folders = tuple(folders)
    libc = ctypes.CDLL(None, use_errno=True)
    for point in mounts_below(folders):
        libc.umount2(os.fsencode(point), _DETACH | _NOFOLLOW)
    return mounts_below(folders)
