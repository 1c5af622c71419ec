"""A patch file's lines, and complaints that name one of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from builder.errors import PatchError
from builder.shown import printable

REMAKE = "make it anew with `git format-patch` or `quilt refresh`, not by editing hunks by hand"


@dataclass(frozen=True)
class Lines:
    """The lines of ``path``, each with a line feed, which is added to the last line if missing.

    ``ended``: the last line has its own.
    """

    path: Path
    lines: tuple[bytes, ...]
    ended: bool = True

    def malformed(self, line: int, reason: str, hint: str = REMAKE) -> PatchError:
        """To be raised: what is wrong at ``line`` (from 1)."""
        return PatchError(f"{self.path}:{line}: malformed patch", printable(reason), hint)


def split(path: Path, data: bytes) -> Lines:
    """The lines of ``data``, which are the bytes of ``path``."""
    lines = [line + b"\n" for line in data.split(b"\n")]
    if lines[-1] == b"\n":
        lines.pop()
    return Lines(path, tuple(lines), data.endswith(b"\n"))


def without_return(line: bytes) -> bytes:
    """The line without the carriage return before its line feed, if it has one."""
    return line[:-2] + b"\n" if line.endswith(b"\r\n") else line
