"""Bounds of wall time that hold on a busy machine, too."""

from __future__ import annotations

import os


def busy(seconds: float) -> float:
    """What ``seconds`` of a quiet machine may take now.

    As many times more as processes want each processor (proc_loadavg(5), of the last minute); a
    fault whose bound this is must take many times longer on a quiet machine.
    """
    return seconds * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
