"""Find the lines of a long build log that say why the build failed."""

from __future__ import annotations

import re
from pathlib import Path

from builder.host.space import FULL

TAIL_BYTES = 2 << 20
MOST_LINES = 6
LONGEST = 500
"""Characters of one line that are told."""
# The most specific first: a compiler's or linker's error, the kernel configuration check,
# rpmbuild's own error, make's last message.
_TELLING = (
    re.compile(r"(: (fatal )?error: |undefined reference to|^config: (CONFIG_|  ))"),
    FULL,
    re.compile(r"^error: (?!Bad exit status)|File not found|Installed \(but unpackaged\)"),
    re.compile(r"\*\*\* |: not found$|command not found|configure: error"),
    re.compile(r"^(error|RPM build errors):"),
)


def read_tail(log: Path, most: int = TAIL_BYTES) -> list[str]:
    """The last lines of a log, at most ``most`` bytes of it."""
    with log.open("rb") as stream:
        stream.seek(0, 2)
        stream.seek(max(0, stream.tell() - most))
        return stream.read().decode(errors="replace").splitlines()


def cause(log: Path) -> str:
    """The first lines that say why a build failed; the log's last lines if none does."""
    if not log.is_file():
        return "it left no log"
    lines = read_tail(log)
    for pattern in _TELLING:
        found = [index for index, line in enumerate(lines) if pattern.search(line)]
        if found:
            first = found[0]
            picked = [lines[index] for index in found if index < first + 50]
            return _told(picked[:MOST_LINES])
    return _told(lines[-MOST_LINES:])


def _told(lines: list[str]) -> str:
    stripped = (line.strip() for line in lines)
    return "\n".join(line if len(line) <= LONGEST else f"{line[:LONGEST]}..." for line in stripped)
