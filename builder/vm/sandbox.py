"""QEMU's own fence: a filter of system calls (seccomp(2)) for what a guest may find in it.

A guest that takes QEMU over can then not start programs, or gain privileges or real-time priority
(qemu(1), -sandbox; libvirt starts every guest so).  It can still reach open files and sockets.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from builder.host import process

QEMU = "qemu-system-x86_64"
FENCE = ("obsolete", "elevateprivileges", "spawn", "resourcecontrol")
OPTIONS = ("-sandbox", ",".join(("on", *(f"{what}=deny" for what in FENCE))))
# Prints a list and ends, after the filter was loaded: whether the kernel takes it is seen, too.
TRIAL = ("-nodefaults", "-no-user-config", "-display", "none", "-machine", "none", "-cpu", "help")
TRIAL_SECONDS = 60.0


def options(qemu: str) -> tuple[str, ...]:
    """The options that fence in ``qemu`` (a path), none if it or this kernel has no such filter.

    It is tried once for each file.  Raises EnvironmentFailure if QEMU cannot be started at all.
    """
    seen = Path(qemu).stat()
    return () if _fault(qemu, seen.st_ino, seen.st_mtime_ns) else OPTIONS


def fault() -> str:
    """Why this host's QEMU cannot be fenced in, in its own words; empty if it can.

    Raises EnvironmentFailure if it is missing or cannot be started.
    """
    qemu = process.require_tool(QEMU)
    seen = Path(qemu).stat()
    return _fault(qemu, seen.st_ino, seen.st_mtime_ns)


def warning() -> str:
    """A line for people where guests run without the fence, empty elsewhere; as ``fault``."""
    reason = fault()
    return f"warning: QEMU runs without its filter of system calls: {reason}" if reason else ""


@cache
def _fault(qemu: str, _inode: int, _changed: int) -> str:
    ended = process.run([qemu, *OPTIONS, *TRIAL], timeout=TRIAL_SECONDS)
    told = ended.complaint.strip().splitlines()
    return "" if ended.ok else (told[-1] if told else "it fails without a message")
