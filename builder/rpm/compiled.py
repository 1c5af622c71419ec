"""Where the objects of a build came from, by ccache's log of its calls (``stats_log``).

For each call it has a line ``# SOURCE`` and then the names of the counters that the call increased
(ccache(1), "CCACHE STATISTICS").
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_HIT = {"direct_cache_hit", "preprocessed_cache_hit"}
_MISS = "cache_miss"
_LOCAL = "local_storage_hit"


@dataclass(frozen=True)
class CallCounts:
    """Calls of a compiler: found on this machine, found in the team's cache, and compiled."""

    local: int = 0
    remote: int = 0
    compiled: int = 0


def read(log: Path) -> CallCounts | None:
    """The counts of a log; None if there is no log, which is so where there is no ccache."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return None
    calls = list(_calls(lines))
    hits = [call for call in calls if call & _HIT]
    local = sum(_LOCAL in call for call in hits)
    return CallCounts(local, len(hits) - local, sum(_MISS in call for call in calls))


def _calls(lines: list[str]) -> Iterator[set[str]]:
    """The counters of each call."""
    call: set[str] = set()
    for line in lines:
        if line.startswith("# "):
            yield call
            call = set()
        else:
            call.add(line)
    yield call
