"""End the programs that this process has started, when a run is stopped."""

from __future__ import annotations

import os
import signal
from pathlib import Path


def children() -> tuple[int, ...]:
    """Process ids of our direct children, from ``/proc`` (proc(5), children)."""
    found: list[int] = []
    for task in Path("/proc/self/task").iterdir():
        try:
            found += [int(word) for word in (task / "children").read_text(encoding="utf-8").split()]
        except OSError:
            continue  # the thread ended meanwhile
    return tuple(found)


def end_children() -> None:
    """End the process groups of our children; each child leads one (process.start).

    No program that the builder runs needs to clean up before it ends.
    """
    for pid in children():
        try:
            if os.getpgid(pid) == pid:
                os.killpg(pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            continue
