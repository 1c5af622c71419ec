"""Who started a container, to distinguish leftovers of dead builders from live containers.

A label says ``<machine>:<boot>:<pid>:<start>``.  The process start time (clock ticks since
boot, field 22 of ``/proc/PID/stat``, proc(5)) makes a reused process number harmless; the
machine keeps two hosts that share one remote engine from sweeping each other.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

LABEL = "lvs-fullnat-builder"


def start_ticks(pid: int) -> int | None:
    """When process ``pid`` started, in clock ticks since boot; None if it is dead or a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The program's name is in parentheses and may hold anything, even a ")".
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else int(fields[19])


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _machine() -> str:
    # Process numbers only mean something within one PID namespace of one machine.
    space = Path("/proc/self/ns/pid").readlink()
    words = f"{_read('/etc/machine-id') or os.uname().nodename} {space}"
    return hashlib.sha256(words.encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Owner:
    """A builder process, past or present."""

    machine: str
    boot: str
    pid: int
    start: int

    @property
    def label(self) -> str:
        return f"{self.machine}:{self.boot}:{self.pid}:{self.start}"

    @property
    def is_gone(self) -> bool:
        """Whether it certainly no longer runs; unknown for other machines, hence False."""
        here = this_process()
        if self.machine != here.machine:
            return False
        return self.boot != here.boot or start_ticks(self.pid) != self.start


def this_process() -> Owner:
    """The running builder."""
    boot = _read("/proc/sys/kernel/random/boot_id").replace("-", "")[:12]
    return Owner(_machine(), boot, os.getpid(), start_ticks(os.getpid()) or 0)


def parse_owner(label: str) -> Owner | None:
    """The owner that a label names, or None if it is not one of ours."""
    parts = label.split(":")
    if len(parts) != 4 or not (parts[2].isdigit() and parts[3].isdigit()):
        return None
    return Owner(parts[0], parts[1], int(parts[2]), int(parts[3]))
