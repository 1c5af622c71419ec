"""GNU attributes that matter for layouts, turned into what a C11 parser understands.

``packed`` and ``aligned`` of a struct become pragmas at the head of its body, ``aligned`` of a
member becomes ``_Alignas`` before it; all others are dropped (GCC manual, 6.40).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

PACKED = "packed"
ALIGNED = "aligned"
MEMBER_PACKED = "member-packed"
LARGEST = "16"  # __attribute__((aligned)) without a number, on x86_64
_START = re.compile(r"__attribute__\s*\(|\b__packed\b|\b__aligned\s*\(|[{};]")
_DROPPED = re.compile(r"\b(?:__extension__|__user|__kernel|__iomem|__rcu|__force|__bitwise__?)\b")
_PACKED = re.compile(r"\b(?:__)?packed(?:__)?\b")
_ALIGNED = re.compile(r"\b(?:__)?aligned(?:__)?\b(?:\s*\(([^()]*(?:\([^()]*\)[^()]*)*)\))?")
_HEAD = re.compile(r"\b(?:struct|union)\s*$")


@dataclass(frozen=True)
class _Edit:
    start: int
    end: int
    text: str


@dataclass
class _Level:
    """A body in braces: where it and its current declaration begin."""

    body: int
    statement: int


@dataclass
class _Translation:
    """``closed``: the body that has just ended; ``quiet``: nothing but attributes since here.

    ``pending``: pragmas for the next body (``struct __attribute__((packed)) x {``).
    """

    text: str
    edits: list[_Edit] = field(default_factory=list)
    levels: list[_Level] = field(default_factory=lambda: [_Level(0, 0)])
    closed: int = 0
    quiet: int = -1
    pending: str = ""

    def step(self, match: re.Match[str]) -> int:
        """Process one brace, semicolon or attribute; returns where to continue."""
        at = match.end()
        if match[0] == "{":
            self.levels.append(_Level(at, at))
            self.edits.append(_Edit(at, at, self.pending))
            self.pending = ""
        elif match[0] == "}":
            self.closed, self.quiet = self.levels[-1].body, at
            self.levels = self.levels[:-1] or [_Level(0, 0)]
        elif match[0] == ";":
            self.levels[-1].statement = at
        else:
            at = _end(self.text, match)
            self.edits.append(_Edit(match.start(), at, " "))
            self._attribute(match.start(), self.text[match.start() : at])
        return at

    def _attribute(self, start: int, words: str) -> None:
        if _HEAD.search(self.text, 0, start):
            self.pending = _pragmas(words)
        elif self.quiet >= 0 and not self.text[self.quiet : start].strip():
            self.edits.append(_Edit(self.closed, self.closed, _pragmas(words)))
            self.quiet = start + len(words)
        elif len(self.levels) > 1:
            self.edits.append(_align(self.levels[-1].statement, words))
        elif _ALIGNED.search(words):
            raise ValueError(f"a typedef with an alignment of its own: {words}")


def translate(text: str) -> str:
    """``text``, definitions of types, without GNU attributes.

    Raises ValueError for an attribute that cannot be translated.
    """
    state = _Translation(_DROPPED.sub(" ", text))
    at = 0
    while match := _START.search(state.text, at):
        at = state.step(match)
    # At one place, the last edit comes first: a body's pragmas before its first member.
    ordered = sorted(enumerate(state.edits), key=lambda item: (item[1].start, -item[0]))
    done = state.text
    for _, edit in reversed(ordered):
        done = done[: edit.start] + edit.text + done[edit.end :]
    return done


def _end(text: str, match: re.Match[str]) -> int:
    """Where the attribute's last parenthesis closes."""
    if not match[0].endswith("("):
        return match.end()
    depth = 1
    for found in re.finditer(r"[()]", text[match.end() :]):
        depth += 1 if found[0] == "(" else -1
        if depth == 0:
            return match.end() + found.end()
    return len(text)


def _pragmas(words: str) -> str:
    lines = [PACKED] if _PACKED.search(words) else []
    lines += [f"{ALIGNED} {found[1] or LARGEST}" for found in _ALIGNED.finditer(words)]
    return "".join(f"\n#pragma {line}\n" for line in lines)


def _align(place: int, words: str) -> _Edit:
    """The edit for a member; _Alignas cannot express a packed one's alignment to 1 byte."""
    found = _ALIGNED.search(words)
    if _PACKED.search(words):
        return _Edit(place, place, f"\n#pragma {MEMBER_PACKED}\n")
    return _Edit(place, place, f" _Alignas({found[1] or LARGEST}) " if found else "")
