"""Where and when a run was made: date, host, toolkit, and the checkout's commit."""

from __future__ import annotations

import platform
import time
from pathlib import Path

import msgspec

from builder import version
from builder.errors import EnvironmentFailure
from builder.host import process, processors

SECONDS = 20.0  # for git, whose file system may be slow
GIT = ("git", "--no-optional-locks", "-c", "core.fsmonitor=false")  # nothing is written or started


class RunOrigin(msgspec.Struct, frozen=True):
    """Where and when a run was made.

    ``began``: seconds since the epoch.  ``toolkit``: its version.  ``commit``: of the checkout,
    empty if it is not a git checkout; ``clean``: whether its files were those of the commit, None
    if that is not known.

    ``seconds``: of the run as a whole, 0 while it goes on.  ``busy``: the part of all processors'
    time that was not idle meanwhile, 0 to 1, whoever used it.
    """

    began: float
    host: str
    toolkit: str
    commit: str = ""
    clean: bool | None = None
    processors: int = 0
    seconds: float = 0.0
    busy: float | None = None


def now(root: Path) -> RunOrigin:
    """The origin of a run that begins in the checkout ``root``."""
    commit = _git(root, "rev-parse", "--verify", "HEAD")
    changes = _git(root, "status", "--porcelain") if commit else None
    return RunOrigin(
        time.time(),
        platform.node(),
        version.version(),
        (commit or "").strip(),
        None if changes is None else not changes.strip(),
        processors.number(),
    )


def _git(root: Path, *words: str) -> str | None:
    """What git prints about the checkout itself, not one that contains it; None if nothing."""
    if not (root / ".git").exists():
        return None
    try:
        ended = process.run((*GIT, "-C", root, *words), timeout=SECONDS)
    except EnvironmentFailure:  # no git, or it is stuck
        return None
    return ended.text if ended.ok else None
