"""How busy this machine's processors are, by the kernel's own count (proc_stat(5))."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

STAT = Path("/proc/stat")
_IDLE = (3, 4)  # idle, iowait


class ProcessorCount(msgspec.Struct, frozen=True):
    """Ticks since boot, of all processors together: ``busy``, and ``total`` with the idle ones."""

    busy: int
    total: int

    def share_since(self, before: ProcessorCount) -> float | None:
        """The busy share of the processors' time since ``before``, 0 to 1; None if none passed."""
        passed = self.total - before.total
        return (self.busy - before.busy) / passed if passed > 0 else None


def count(stat: Path = STAT) -> ProcessorCount:
    """The kernel's counts so far; zeros if it has none."""
    try:
        line = stat.read_text(encoding="ascii").partition("\n")[0]
        # user time already includes guest time, so only the first eight fields
        ticks = [int(word) for word in line.split()[1:9]]
    except (OSError, ValueError):
        return ProcessorCount(0, 0)
    idle = sum(ticks[at] for at in _IDLE if at < len(ticks))
    return ProcessorCount(sum(ticks) - idle, sum(ticks))


def number() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0))
