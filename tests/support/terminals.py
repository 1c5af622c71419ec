"""Terminals for programs to write to."""

from __future__ import annotations

import fcntl
import os
import struct
import termios
from typing import TextIO


def open_terminal(columns: int) -> tuple[int, TextIO]:
    """The side that shows what is written, and the stream to write to."""
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    return ours, os.fdopen(theirs, "w", encoding="utf-8")
