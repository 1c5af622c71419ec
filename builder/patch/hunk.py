"""Hunks of a unified diff: read line by line, as their headers count them.

The format: POSIX, diff utility, "Diff -u or -U Output Format"; what GNU patch accepts besides: its
manual, "Messages and Questions", and version 2.7.6.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from builder.patch.lines import Lines, without_return

HEADER = re.compile(rb"@@ -(\d+)(?:,(\d+))? ?\+(\d+)(?:,(\d+))? ?@")
FIRST = b"@@ -"
MOST_CHOPPED = 3
"""Blank context lines that may be missing at the patch file's end."""
_LARGEST = 2**31
_SIGNATURE = b"--"
CUT = "the patch is truncated: its last hunk ends before it has the lines that its header counts"
CUT_HINT = "get the patch again, or make it anew with `git format-patch` or `quilt refresh`"


@dataclass(frozen=True)
class Hunk:
    """One change of a file.

    ``header``: the ``@@ ... @@`` line.  ``start``: the line where it expects the old text
    (0 in a new file).  ``text``: header and body as the patch has them.  ``chopped``: blank
    context lines that it lacks at the patch file's end.  ``is_unended``: its last line lacks the
    line feed there.
    """

    header: str
    start: int
    text: bytes
    chopped: int = 0
    is_unended: bool = False

    @property
    def doubtful(self) -> int:
        """How many of its last lines may be wrong, if the patch file was truncated."""
        return self.chopped or int(self.is_unended)

    @property
    def after(self) -> bytes:
        """The block of lines that a file has where this hunk has been applied."""
        return self._side(b"+")

    @property
    def before(self) -> bytes:
        """The block of lines that a file must have for this hunk to fit without fuzz."""
        return self._side(b"-")

    def _side(self, sign: bytes) -> bytes:
        wanted: list[bytes] = []
        previous = b""
        for line in self.text.removesuffix(b"\n").split(b"\n")[1:]:
            kind, rest = _taken_apart(line + b"\n")
            if kind == b"\\" and previous in (sign, b" ") and wanted:
                wanted[-1] = wanted[-1].removesuffix(b"\n")
            elif kind in (sign, b" "):
                wanted.append(rest)
            previous = kind
        return b"".join(wanted)

    @property
    def adds(self) -> bool:
        """Whether it puts in lines (a hunk may only take away)."""
        return any(line.startswith(b"+") for line in self.text.split(b"\n")[1:])


def _taken_apart(line: bytes) -> tuple[bytes, bytes]:
    """Sign and content of a hunk's line; a context line may have lost its blank."""
    if line[:1] in (b"\t", b"\n") or line == b"\r\n":
        return b" ", line
    return (b" " if line[:1] == b"=" else line[:1]), line[1:]


def read(lines: Lines, at: int) -> tuple[Hunk, int]:
    """The hunk whose header is line ``at`` (from 0), and the number of the line after it.

    Raises PatchError for a hunk that GNU patch would refuse, or that has more lines than its header
    says, which patch(1) ignores silently.
    """
    found = HEADER.match(lines.lines[at])
    if found is None:
        raise lines.malformed(at + 1, "the hunk's header has no line numbers")
    start, old, _, new = (1 if number is None else int(number) for number in found.groups())
    if max(start, old, new) > _LARGEST:
        raise lines.malformed(at + 1, "the hunk's header has impossible line numbers")
    body = _Body(lines, old, new)
    end = body.read(at + 1)
    header = without_return(lines.lines[at]).rstrip(b"\n").decode(errors="replace")
    unended = end == len(lines.lines) and not lines.ended
    return Hunk(header, start, b"".join(lines.lines[at:end]), body.chopped, unended), end


class _Body:
    """Counts the lines of a hunk: ``old`` and ``new`` are still wanted on either side."""

    def __init__(self, lines: Lines, old: int, new: int) -> None:
        self._lines = lines
        self._old, self._new = old, new
        self._changes = False
        self.chopped = 0

    def read(self, at: int) -> int:
        """Returns the number of the first line (from 0) that is not the hunk's."""
        while self._old or self._new:
            if at == len(self._lines.lines):
                self._fill(at)
                break
            at = self._take(at)
        _refuse_surplus(self._lines, at)
        if not self._changes:
            raise self._lines.malformed(at, "a hunk without changed lines")
        return at

    def _fill(self, at: int) -> None:
        """Allow for blank lines at the end, which mail programs remove."""
        if self._old != self._new or self._old > MOST_CHOPPED or not self._changes:
            raise self._lines.malformed(at, CUT, CUT_HINT)
        self.chopped = self._old

    def _take(self, at: int) -> int:
        line = self._lines.lines[at]
        if line.startswith(b"#"):
            return at + 1  # a comment
        kind, _ = _taken_apart(line)
        if kind not in (b" ", b"-", b"+"):
            raise self._lines.malformed(at + 1, self._unexpected(line))
        old, new = kind in b" -", kind in b" +"
        self._old -= old
        self._new -= new
        if self._old < 0 or self._new < 0:
            raise self._lines.malformed(at + 1, "the hunk has other lines than its header says")
        self._changes = self._changes or kind != b" "
        ends_side = (old and not self._old) or (new and not self._new)
        marked = ends_side and self._lines.lines[at + 1 : at + 2] and self._marked(at + 1)
        return at + 2 if marked else at + 1

    def _marked(self, at: int) -> bool:
        """Whether the line says that the one before has no line feed at the file's end."""
        return self._lines.lines[at].startswith(b"\\")

    def _unexpected(self, line: bytes) -> str:
        shown = line[:40].rstrip(b"\r\n").decode(errors="replace")
        return (
            f"a hunk's line begins with a blank, + or -, not like {shown!r}; the header counts "
            f"{self._old} old and {self._new} new lines more: is the patch truncated?"
        )


def _refuse_surplus(lines: Lines, after: int) -> None:
    """Refuse a body longer than its header says: patch(1) would silently ignore the rest."""
    if after >= len(lines.lines):
        return
    line = lines.lines[after]
    bare = line.rstrip()
    if bare in (b"", _SIGNATURE) or line.startswith((b"--- ", b"- --- ")):
        return
    if line[:1] in (b"+", b"-", b" ") and bare != b"---":
        raise lines.malformed(after + 1, "the hunk has more lines than its header says")
