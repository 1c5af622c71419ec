"""Terminals for programs to write to."""

from __future__ import annotations

import fcntl
import os
import re
import select
import struct
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TextIO

END = b"\x1e"
DEADLINE_SECONDS = 20


@dataclass
class Terminal:
    """A pseudo-terminal (pty(7)): what is written to ``stream`` comes out of ``screen``."""

    master: int
    stream: TextIO
    heard: bytes = b""

    def screen(self) -> str:
        """All that was written before this call.

        The kernel passes on what is written in pieces and a while later,
        so a mark is written behind it, and read.
        """
        self.stream.flush()
        os.write(self.stream.fileno(), END)
        while END not in self.heard:
            ready, _, _ = select.select([self.master], [], [], DEADLINE_SECONDS)
            assert ready, self.heard
            self.heard += os.read(self.master, 65536)
        self.heard = self.heard.replace(END, b"")
        return self.heard.decode(errors="ignore")

    def wait_for(self, pattern: str) -> str:
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not re.search(pattern, screen := self.screen()):
            assert time.monotonic() < deadline, screen
            time.sleep(0.01)
        return screen


@contextmanager
def open_terminal(columns: int) -> Iterator[Terminal]:
    """A terminal of so many columns."""
    master, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    try:
        with os.fdopen(theirs, "w", encoding="utf-8") as stream:
            yield Terminal(master, stream)
    finally:
        os.close(master)
