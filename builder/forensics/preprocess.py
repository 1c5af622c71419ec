"""The part of the C preprocessor that headers for user space need (C11, 6.10).

Conditionals, constants and line splicing.  Files are not included: types from another header
are known beforehand (builder/forensics/ctypes_known.py) or not needed.  Macros with arguments
are not expanded.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from builder.forensics import ctext

_DIRECTIVE = re.compile(r"\s*#\s*(\w+)(.*)")
_DEFINE = re.compile(r"\s*(\w+)(\(?)(.*)")
_DEFINED = re.compile(r"\bdefined\s*(?:\(\s*(\w+)\s*\)|(\w+))")
_WORD = re.compile(r""""(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|\b[A-Za-z_]\w*""")

Evaluate = Callable[[str], int]


@dataclass
class Preprocessed:
    """``text``: the remaining text, a line for each line.  ``macros``: constants at the end.

    A macro with arguments has no value.
    """

    text: str = ""
    macros: dict[str, str | None] = field(default_factory=dict)

    def expand(self, text: str, hidden: frozenset[str] = frozenset()) -> str:
        """The text with all constants expanded."""

        def put(match: re.Match[str]) -> str:
            value = self.macros.get(match[0])
            if value is None or match[0] in hidden:
                return match[0]
            return self.expand(value, hidden | {match[0]})

        return _WORD.sub(put, text)


@dataclass
class _Branch:
    """One open conditional: whether its current branch counts, and whether one has counted."""

    active: bool
    taken: bool
    outside: bool


class Unclear(Exception):
    """A condition that cannot be judged: ``line`` from 1."""

    def __init__(self, line: int, text: str) -> None:
        super().__init__(line, text)
        self.line, self.text = line, text


def preprocess(text: str, defines: Mapping[str, str], evaluate: Evaluate) -> Preprocessed:
    """Preprocess ``text`` with ``defines`` set.

    ``evaluate``: value of a constant expression, ValueError for anything else.  Raises Unclear.
    """
    state = Preprocessed(macros=dict(defines))
    branches: list[_Branch] = []
    kept: list[str] = []
    for number, line in _lines(text):
        found = _DIRECTIVE.fullmatch(line)
        active = not branches or branches[-1].active
        if found is None:
            kept.append(state.expand(line) if active else "")
            continue
        word, rest = found[1], found[2].strip()
        if word in ("if", "ifdef", "ifndef", "elif", "else", "endif"):
            _branch(branches, word, lambda: _holds(state, word, rest, number, evaluate))  # noqa: B023
        elif active:
            kept.append(_define(state, word, rest, number))
    state.text = "\n".join(kept)
    return state


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Spliced lines without comments, each with the number of its first line."""
    # A comment keeps its line feeds, so that line numbers stay right.
    plain = re.sub(
        r'"(?:\\.|[^"\\\n])*"|/\*.*?\*/|//[^\n]*',
        lambda found: found[0] if found[0][0] == '"' else " " + "\n" * found[0].count("\n"),
        text.replace("\r\n", "\n"),
        flags=re.DOTALL,
    )
    number, waiting = 1, ""
    for here, line in enumerate(plain.split("\n"), 1):
        if not waiting:
            number = here
        if line.endswith("\\"):
            waiting += line[:-1] + " "
            continue
        yield number, waiting + line
        waiting = ""


def _branch(branches: list[_Branch], word: str, holds: Callable[[], bool]) -> None:
    if word in ("if", "ifdef", "ifndef"):
        outside = not branches or branches[-1].active
        active = outside and holds()
        branches.append(_Branch(active, active, outside))
    elif branches and word == "endif":
        branches.pop()
    elif branches:
        branch = branches[-1]
        able = branch.outside and not branch.taken
        branch.active = able and (word == "else" or holds())
        branch.taken = branch.taken or branch.active


def _holds(state: Preprocessed, word: str, rest: str, number: int, evaluate: Evaluate) -> bool:
    if word in ("ifdef", "ifndef"):
        return (rest.partition(" ")[0] in state.macros) == (word == "ifdef")
    known = _DEFINED.sub(lambda found: str(int((found[1] or found[2]) in state.macros)), rest)
    # A name that is not a macro counts as 0 (C11, 6.10.1, paragraph 4).
    plain = re.sub(r"\b[A-Za-z_]\w*", "0", state.expand(known))
    try:
        return evaluate(plain) != 0
    except ValueError as error:
        raise Unclear(number, f"#{word} {rest}") from error


def _define(state: Preprocessed, word: str, rest: str, number: int) -> str:
    """Apply a directive to the state; returns the line that remains of it."""
    if word == "define" and (found := _DEFINE.fullmatch(rest)):
        state.macros[found[1]] = None if found[2] else found[3].strip()
    elif word == "undef":
        state.macros.pop(rest, None)
    elif word == "pragma" and rest.startswith("pack"):
        raise Unclear(number, f"#pragma {rest}")
    return ""


def statements(text: str) -> Iterator[str]:
    """The definitions of types at file level of preprocessed text, each up to its semicolon."""
    depth, start = 0, 0
    for match in re.finditer(r"[{};]", text):
        if match[0] == "{":
            depth += 1
            continue
        depth -= match[0] == "}"
        piece = text[start : match.end()]
        is_type = re.match(r"\s*(typedef|struct|union|enum)\b", piece) is not None
        if depth == 0 and (match[0] == ";" or not is_type):
            start = match.end()
            if is_type and match[0] == ";" and _defines(piece):
                yield piece.strip()


def _defines(piece: str) -> bool:
    return "{" in piece or piece.lstrip().startswith("typedef")


def names(statement: str) -> frozenset[str]:
    """The keys (see ctext) of the types that a statement defines."""
    return frozenset(ctext.definitions(statement))
