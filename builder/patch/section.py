"""Where in a patch file each file's diff begins and ends, and what its header says.

A patch file is text with diffs in it.  GNU patch has its own rules for which lines are a header and
which only look like one.  A builder with other rules would make another tree, so these are the
rules of GNU patch (manual: "Multiple Patches in a File"; the rest was tried with version 2.7.6).
Each line may set names.  The first ``@@ -`` after a name begins a diff; all lines since the last
diff are its header, and the nearest name counts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from builder.errors import PatchError
from builder.patch import hunk, names
from builder.patch.hunk import Hunk
from builder.patch.lines import Lines, without_return
from builder.patch.names import Name

SAYS_EMPTY, SAYS_GONE = 1, 2
"""Of a side of the diff: the file is empty or does not exist; it does not exist."""
_INDENT = re.compile(rb"[ \tX]*")
_QUOTED = re.compile(rb"(?:> ?)+(?:--- |diff --git |\+\+\+ |@@ -)")
_DASHES = re.compile(rb"(?:- )*--- ")
_SUMS = re.compile(rb"index ([0-9a-f]+)\.\.([0-9a-f]+)(?:\s+(\S.*?))?\s*$", re.DOTALL)
_EMPTY_SUM = b"e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"  # git's, of no bytes
_EXTENDED = re.compile(
    rb"(old mode|new mode|deleted file mode|new file mode|(?:rename|copy) (?:from|to)) (.*)",
    re.DOTALL,
)
_FIRST_WORDS = re.compile(rb"(?:-|---|\+{1,3}|@|d|di|dif|diff ?|I|In|Ind|Inde|Index)\n")
_BINARY = re.compile(rb"Binary files .+ and .+ differ\s*$")
_COMMAND = re.compile(rb"\d[\d,]*[acd][\d,]*[ \t]*\r?\n")
_ED_COMMAND = re.compile(rb"(?:\d+(?:,\d+)?[cd]|\d+[ai]|(?:\d+(?:,\d+)?)?s/\.//)[ \t]*\n")


@dataclass
class Section:
    """One file's diff.

    ``line``: where its header begins (from 1), or its first hunk if it has none.  ``old`` and
    ``new``: the names of the two sides, ``index``: the one of an ``Index:`` line.  ``gone``: what
    each side says of the file's existence.  ``modes``: git's old and new mode, as written.
    ``moves``: the words and names of git's ``rename`` and ``copy`` lines.  ``carriage``: the
    header's lines end in carriage return and line feed.  ``spans``: the numbers (from 0) of each
    hunk's first line and of the line after it.
    """

    line: int = 0
    is_git: bool = False
    is_extended: bool = False
    carriage: bool = False
    index: Name | None = None
    sides: list[Name | None] = field(default_factory=lambda: [None, None])
    gone: list[int] = field(default_factory=lambda: [0, 0])
    epochs: list[bool] = field(default_factory=lambda: [False, False])
    modes: list[bytes] = field(default_factory=lambda: [b"", b""])
    moves: dict[bytes, bytes] = field(default_factory=dict)
    hunks: list[Hunk] = field(default_factory=list)
    spans: list[tuple[int, int]] = field(default_factory=list)

    @property
    def old(self) -> Name | None:
        return self.sides[0]

    @property
    def new(self) -> Name | None:
        return self.sides[1]


def find(lines: Lines) -> Iterator[Section]:
    """The diffs in their order.

    Raises PatchError for what GNU patch would take for a diff of another kind, and for a diff
    that is indented or malformed.
    """
    at = 0
    while at < len(lines.lines):
        scan = _Scan(lines, at)
        section = scan.run()
        if section is None:
            _refuse_unfinished(lines, at)
            return
        at = scan.at
        while at < len(lines.lines) and lines.lines[at].startswith(hunk.FIRST):
            read, end = hunk.read(lines, at)
            section.hunks.append(read)
            section.spans.append((at, end))
            at = end
        yield section


class _Scan:
    """From the end of one diff to the first hunk of the next one, or to its header's end."""

    def __init__(self, lines: Lines, at: int) -> None:
        self.at = at
        self._lines = lines
        self._made = Section()
        self._named = False
        self._indent = 0
        self._header_indent = self._header_line = 0
        self._dashes = False
        self._stars = False
        self._command = 0
        self._ed_command = 0

    def run(self) -> Section | None:
        """The next diff with its header read; ``at`` is then the line of its first hunk."""
        while self.at < len(self._lines.lines):
            if self._step(self._lines.lines[self.at]):
                return self._made
            self.at += 1
        if self._ed_command:
            raise self._refuse("an ed script", self._ed_command)
        return self._end()

    def _step(self, raw: bytes) -> bool:
        """Read one line; returns whether a diff begins there, or the previous diff has ended."""
        if raw.startswith(b"#"):
            return False
        line = without_return(raw)
        self._indent = len(_INDENT.match(line)[0])  # type: ignore[index]  # it always matches
        text = line[self._indent :]
        self._note_command(text)
        if text.startswith(b"diff --git ") and self._made.is_extended:
            self._end()
            return True
        self._read_header(text, raw != line)
        if not self._named:
            return False
        return self._begins(text)

    def _begins(self, text: bytes) -> bool:
        """Whether a hunk begins here; raises PatchError for one of another kind of diff."""
        if self._ed_command and text == b".\n":
            raise self._refuse("an ed script", self._ed_command)
        if text.startswith(hunk.FIRST):
            self._start_hunks(text)
            return True
        if self._stars and text.startswith(b"*** "):
            raise self._refuse("a context diff", self.at + 1)
        self._stars = text.startswith(b"********")
        if self._command and text.startswith((b"< ", b"> ")):
            raise self._refuse("a normal diff", self._command)
        return False

    def _note_command(self, text: bytes) -> None:
        if text[:1].isdigit() and _COMMAND.match(text):
            self._command = self.at + 1
        if self._named and not self._ed_command and _ED_COMMAND.match(text):
            self._ed_command = self.at + 1

    def _start_hunks(self, text: bytes) -> None:
        if self._indent:
            raise indented(self._lines, self.at + 1, self._indent)
        if self._dashes:
            raise self._refuse("a diff whose lines begin with dashes (a signed mail, RFC 934)")
        made = self._made
        # Up to here +++ was on the first side; names of git's own line change sides, too.
        made.sides.reverse()
        made.epochs.reverse()
        for side, number in enumerate(_starts(text)):
            if number:
                made.gone[side] = SAYS_GONE if made.epochs[side] else SAYS_EMPTY
        made.line = made.line or self.at + 1

    def _end(self) -> Section | None:
        """A diff that has only a header, which ends here."""
        if not self._made.is_extended:
            return None
        if self._header_indent:
            raise indented(self._lines, self._header_line, self._header_indent)
        return self._made

    def _read_header(self, text: bytes, carriage: bool) -> None:
        made = self._made
        if text.startswith(b"*** ") and not self._stars:
            self._take(0, names.read(text[4:]))
            self._named = True
        elif text.startswith(b"+++ "):
            self._take(0, names.read(text[4:]))
            self._named, made.carriage = True, carriage
        elif text.startswith(b"Index:"):
            made.index = names.read(text[6:], index=True).name or made.index
            self._named, made.carriage = True, carriage
        elif text.startswith(b"diff --git "):
            made.sides = list(names.both(text[11:]) or (None, None))
            self._named = made.is_git = True
            made.line, made.carriage = self.at + 1, carriage
        elif found := _DASHES.match(text):
            self._take(1, names.read(text[found.end() :]))
            self._dashes = found[0] != b"--- "
            self._named, made.carriage = True, carriage
            made.line = self.at + 1
        elif _BINARY.match(text) and not self._indent:
            raise self._refuse("a binary change", hint=_BINARY_HINT)
        elif made.is_git:
            self._read_extended(text)

    def _take(self, side: int, header: names.Header) -> None:
        if header.name is not None:
            self._made.sides[side] = header.name
        if header.counts:
            self._made.epochs[side] = header.is_epoch

    def _read_extended(self, text: bytes) -> None:
        made = self._made
        if text.startswith(b"GIT binary patch"):
            raise self._refuse("a binary change", hint=_BINARY_HINT)
        sums = _SUMS.match(text)
        if sums is not None:
            made.gone = [_says(sums[1]), _says(sums[2])]
            if sums[3]:
                made.modes = [sums[3], sums[3]]
        found = _EXTENDED.match(text)
        if found is not None:
            _MEANINGS.get(found[1], _move)(made, found)
        if sums is not None or found is not None:
            made.is_extended = True
            self._header_indent, self._header_line = self._indent, self.at + 1

    def _refuse(self, kind: str, line: int = 0, hint: str = "") -> PatchError:
        return self._lines.malformed(
            line or self.at + 1,
            f"it has {kind}; only unified diffs of text are understood",
            hint or "make it anew with `diff -u`, `git format-patch` or `quilt refresh`",
        )


def _refuse_unfinished(lines: Lines, after: int) -> None:
    """Raises PatchError if the patch file ends in a header, or a part of one, without hunks."""
    tail = [line for line in lines.lines[after:] if line.strip()]
    if not after or not tail:
        return
    last = without_return(tail[-1])
    begun = not lines.ended and _FIRST_WORDS.fullmatch(last)
    if begun or last.startswith((b"--- ", b"+++ ", b"diff -", b"@@")):
        raise lines.malformed(
            len(lines.lines),
            "the patch is truncated: it ends in a header that no hunk follows",
            hunk.CUT_HINT,
        )


def indented(lines: Lines, line: int, count: int) -> PatchError:
    """To be raised for a diff whose lines have ``count`` characters before them."""
    return PatchError(
        f"{lines.path}:{line}: the diff is indented by {count} characters",
        "GNU patch would take it for a part of the patch, whether it is meant so or quoted in"
        " the message",
        "if it is meant, remove the characters before its lines; if it is quoted, take it out"
        " of the message",
    )


def require_unquoted(lines: Lines) -> None:
    """Raises PatchError for a diff that is quoted as in an answer to a mail.  No patch sees it."""
    for number, line in enumerate(lines.lines, 1):
        if _QUOTED.match(line):
            raise PatchError(
                f"{lines.path}:{number}: the diff is quoted with > as in an answer to a mail",
                "there is no other diff in the file",
                "get the mail that it answers, or remove the > before its lines",
            )


_BINARY_HINT = "carry such a file as a source of its own and put it in place in the spec"


def _starts(text: bytes) -> tuple[bool, bool]:
    """Whether the hunk begins at line 0, on either side: there is nothing of the file."""
    found = hunk.HEADER.match(text)
    return (int(found[1]) == 0, int(found[3]) == 0) if found else (False, False)


def _says(digits: bytes) -> int:
    if not digits.strip(b"0"):
        return SAYS_GONE
    return SAYS_EMPTY if _EMPTY_SUM.startswith(digits) else 0


def _set_mode(side: int, gone: int | None) -> Callable[[Section, re.Match[bytes]], None]:
    def note(made: Section, found: re.Match[bytes]) -> None:
        made.modes[side] = found[2].strip()
        if gone is not None:
            made.gone[gone] = SAYS_GONE

    return note


def _move(made: Section, found: re.Match[bytes]) -> None:
    made.moves[found[1]] = names.plain(found[2])


_MEANINGS = {
    b"old mode": _set_mode(0, None),
    b"new mode": _set_mode(1, None),
    b"deleted file mode": _set_mode(0, 1),
    b"new file mode": _set_mode(1, 0),
}
