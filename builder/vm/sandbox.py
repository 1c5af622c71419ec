"""QEMU's own fence: a filter of system calls (seccomp(2)) for what a guest may find in it.

A guest that takes QEMU over can then start no program, gain no privileges and no real-time
priority (qemu(1), -sandbox; libvirt starts every guest so).  Files that it holds and sockets
stay within its reach.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from builder.host import process

FENCE = ("obsolete", "elevateprivileges", "spawn", "resourcecontrol")
OPTIONS = ("-sandbox", ",".join(("on", *(f"{what}=deny" for what in FENCE))))
# Prints a list and ends, after the filter was loaded: whether the kernel takes it is seen, too.
TRIAL = ("-nodefaults", "-no-user-config", "-display", "none", "-machine", "none", "-cpu", "help")
TRIAL_SECONDS = 60.0


def options(qemu: str) -> tuple[str, ...]:
    """The words that fence ``qemu`` (a path), none if it or this kernel has no such filter.

    It is tried once for each file.  Raises EnvironmentFailure if QEMU cannot be started at all.
    """
    seen = Path(qemu).stat()
    return OPTIONS if _works(qemu, seen.st_ino, seen.st_mtime_ns) else ()


@cache
def _works(qemu: str, _inode: int, _changed: int) -> bool:
    return process.run([qemu, *OPTIONS, *TRIAL], timeout=TRIAL_SECONDS).ok
