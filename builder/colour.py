"""Colours on a terminal that has them, and whose user has not refused them (no-color.org)."""

from __future__ import annotations

import os
import re
from enum import Enum
from typing import TextIO

_HEAD = re.compile(r"^(failed|cause|next|log|shell):", re.MULTILINE)


class Tone(Enum):
    """What a message means, as a colour of ECMA-48 8.3.117 (SGR)."""

    PLAIN = ""
    GOOD = "32"
    WARNING = "33"
    BAD = "1;31"
    HEAD = "1"


def is_terminal(stream: TextIO) -> bool:
    """Whether lines can be redrawn on it: a terminal that has columns."""
    try:
        columns = os.get_terminal_size(stream.fileno()).columns if stream.isatty() else 0
    except (OSError, ValueError):  # it has no number, or is closed
        return False
    return columns > 0 and os.environ.get("TERM") != "dumb"


def is_coloured(stream: TextIO) -> bool:
    """Whether text that is written to it may be coloured."""
    return is_terminal(stream) and not os.environ.get("NO_COLOR")


def painted(text: str, tone: Tone) -> str:
    return f"\x1b[{tone.value}m{text}\x1b[0m" if tone.value else text


def failure(text: str, stream: TextIO) -> str:
    """The lines of a failure, with their heads in colour if ``stream`` shows that."""
    if not is_coloured(stream):
        return text
    return _HEAD.sub(
        lambda found: painted(found[0], Tone.BAD if found[1] == "failed" else Tone.HEAD), text
    )
