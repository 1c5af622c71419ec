"""What a build's container took of the processors, by the kernel's count for its control group.

``container/rpmbuild.sh`` keeps the first line of ``cpu.stat`` (version 2, microseconds) or of
``cpuacct.usage`` (version 1, nanoseconds).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

MAKE, ALL = "processors-make", "processors-all"
_FORM = re.compile(r"(usage_usec )?([0-9]{1,20})\n?")


@dataclass(frozen=True)
class ProcessorSeconds:
    """Processor seconds up to the end of %build, and of the whole container; None if unknown."""

    make: float | None
    all: float | None

    @classmethod
    def read(cls, folder: Path) -> ProcessorSeconds:
        """What the container has left in its home."""
        return cls(_seconds(folder / MAKE), _seconds(folder / ALL))


def _seconds(file: Path) -> float | None:
    try:
        found = _FORM.fullmatch(file.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
    return round(int(found[2]) / (1e6 if found[1] else 1e9), 2) if found else None
