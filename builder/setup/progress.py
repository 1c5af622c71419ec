"""How far pip is, told while it works: redrawn on a terminal, else a line now and then."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import TextIO

from builder import colour

# Seconds between two lines where nothing can be redrawn.
PAUSE = 20.0
# pip "processes" what lies in a folder of this host.
_COLLECTED = re.compile(r"Collecting (?P<name>[\w.-]+)|Processing \S*/(?P<file>[\w.]+)")
_LAST_STEP = "Installing collected packages"


class PipProgress:
    """Follows the lines that ``pip install`` prints.

    ``total``: the number of packages in the lock.  ``clock``: seconds.
    """

    def __init__(
        self, total: int, stream: TextIO, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._total, self._stream, self._clock = total, stream, clock
        self._redraws = colour.is_terminal(stream)
        self._count, self._state = 0, "starting pip"
        self._begun = self._told = clock()

    def hear(self, line: str) -> None:
        """Take note of a line of pip's standard output."""
        collected = _COLLECTED.match(line)
        if collected:
            self._count += 1
            name = collected["name"] or collected["file"]
            self._state = f"downloading {self._count} of {self._total}: {name}"
        elif line.startswith(_LAST_STEP):
            self._state = f"installing {self._total} packages"

    def tick(self) -> None:
        """Tell the state and the seconds since the start; a log is told only every ``PAUSE``.

        To be called about once a second.
        """
        if not self._redraws and self._clock() - self._told < PAUSE:
            return
        self._told = self._clock()
        line = f"making .venv: {self._state} ({self._told - self._begun:.0f} s)"
        self._write(f"\r\x1b[K{line}" if self._redraws else f"{line}\n")

    def close(self) -> None:
        """Clear the line, so that the next message begins on an empty one."""
        if self._redraws:
            self._write("\r\x1b[K")

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
