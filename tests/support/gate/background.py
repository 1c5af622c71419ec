"""Lets a program have only what others leave of the processors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

# Where the kernel groups tasks by session, niceness counts only within a session, and each of
# our programs has its own: the group is what has to be nice (sched(7), "The autogroup feature").
# Without that feature the file is missing, and niceness alone does it.
SCRIPT = '{ echo 19 >/proc/self/autogroup; } 2>/dev/null; exec nice -n 19 "$@"'


def words(argv: Sequence[str | Path]) -> tuple[str | Path, ...]:
    """The command line that runs ``argv`` so, if it starts a session."""
    return ("sh", "-c", SCRIPT, "sh", *argv)
