"""Read C sources without compiling them: definitions, exports, declarations.

This is text processing, for headers and sources in the kernel's style.  Conditionals are not
evaluated: text that any configuration could see counts as seen.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_COMMENT = re.compile(r'"(?:\\.|[^"\\\n])*"|/\*.*?\*/|//[^\n]*', re.DOTALL)
_DIRECTIVE = re.compile(r"^[ \t]*#(?:[^\n\\]|\\\n|\\.)*", re.MULTILINE)
_CONDITIONAL = re.compile(r"[ \t]*#[ \t]*(if|ifdef|ifndef|elif|else|endif)\b")
_GENKSYMS = re.compile(r"[ \t]*#[ \t]*(ifdef|ifndef)[ \t]+__GENKSYMS__\b")
_BRACE = re.compile(r"[{}]")
_TAGGED = re.compile(r"\b(struct|union|enum)\s+(?:__\w+(?:\(\(\w+\)\))?\s+)?(\w+)\s*\{")
_UNNAMED = re.compile(r"\btypedef\s+(?:struct|union|enum)(?:\s+\w+)?\s*\{")
_TYPEDEF = re.compile(r"\btypedef\s[^;{}]*;")
_NAMED = re.compile(r"\(\s*\*+\s*(\w+)\s*\)|\b(\w+)\s*(?:\[[^\]]*\]\s*)?;")
_REFERENCE = re.compile(r"\b(?:struct|union|enum)\s+\w+|\b[A-Za-z_]\w*")
_DEFINE = re.compile(
    r"^[ \t]*#[ \t]*define[ \t]+(\w+)(?![\w(])((?:[^\n\\]|\\\n|\\.)*)", re.MULTILINE
)
_EXPORT = re.compile(r"^[ \t]*(EXPORT(?:_UNUSED)?_SYMBOL\w*)\s*\(\s*(\w+)", re.MULTILINE)
_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"\n]+)[>"]', re.MULTILINE)
_POINTER = re.compile(r"\(\s*(?:__\w+\s+)*\*+\s*(\w+)\s*\)")
_DECLARED = re.compile(r"[()]|\b([A-Za-z_]\w*)(?=\s*(?:[(\[=,]|$))")
_ATTRIBUTE = re.compile(r"__attribute__\s*\(\((?:[^()]|\([^()]*\))*\)\)")


@dataclass(frozen=True)
class Definition:
    """A type's definition.  ``key``: ``struct x``, ``union x``, ``enum x``, or a typedef's name.

    ``body`` has single spaces and no comments; ``mentions`` are the keys of types and all
    other names in it.
    """

    key: str
    body: str
    mentions: frozenset[str]


def strip_comments(text: str) -> str:
    """The text with a space for each comment; strings stay."""
    return _COMMENT.sub(lambda found: found[0] if found[0].startswith('"') else " ", text)


def for_genksyms(text: str) -> str:
    """The text without comments, and without what ``__GENKSYMS__`` hides.

    Red Hat adds members under ``#ifndef __GENKSYMS__`` where a CRC must stay as it was.
    """
    plain = strip_comments(text)
    return "".join(_visible(plain)) if "__GENKSYMS__" in plain else plain


def _visible(text: str) -> Iterator[str]:
    """The lines that genksyms sees; conditionals about anything else stay."""
    hidden: list[bool | None] = []  # None: a conditional that is not about genksyms
    for line in text.splitlines(keepends=True):
        word = _CONDITIONAL.match(line)
        kind = word[1] if word is not None else ""
        if kind.startswith("if"):
            ours = _GENKSYMS.match(line)
            hidden.append(None if ours is None else ours[1] == "ifndef")
        elif kind == "else" and hidden and hidden[-1] is not None:
            hidden[-1] = not hidden[-1]
        about_genksyms = bool(kind and hidden) and hidden[-1] is not None
        if True not in hidden and not about_genksyms:
            yield line
        if kind == "endif" and hidden:
            hidden.pop()


def definitions(text: str) -> dict[str, Definition]:
    """All types that a text defines, by key; comments must have been stripped.

    If a key has several definitions (for several configurations), all bodies count.
    """
    found: dict[str, list[str]] = {}
    for match in _TAGGED.finditer(text):
        # The keyword and name are only part of the body of an enclosing definition.
        body = text[match.end() : _closing(text, match.end())]
        found.setdefault(f"{match[1]} {match[2]}", []).append(body)
    for match in _UNNAMED.finditer(text):
        end = _closing(text, match.end())
        name = re.compile(r"\s*(?:__\w+\s+)*(\w+)\s*;").match(text, end + 1)
        if name is not None:
            found.setdefault(name[1], []).append(text[match.end() : end])
    for match in _TYPEDEF.finditer(text):
        name = _NAMED.search(match[0])
        if name is not None:
            found.setdefault(name[1] or name[2], []).append(match[0])
    return {key: _define(key, " ".join(bodies)) for key, bodies in found.items()}


def _define(key: str, body: str) -> Definition:
    return Definition(key, " ".join(body.split()), frozenset(references(body)))


def references(text: str) -> Iterator[str]:
    """Keys of types, and all names, that occur in a text."""
    for match in _REFERENCE.finditer(text):
        yield " ".join(match[0].split())


def _closing(text: str, start: int) -> int:
    """Where the brace that opened before ``start`` closes; the end if it never does."""
    depth = 1
    for match in _BRACE.finditer(text, start):
        depth += 1 if match[0] == "{" else -1
        if depth == 0:
            return match.start()
    return len(text)


def constants(text: str) -> dict[str, str]:
    """Object-like macros and their text; comments must have been stripped."""
    return {match[1]: " ".join(match[2].split()) for match in _DEFINE.finditer(text)}


def exports(text: str) -> dict[str, str]:
    """Exported symbols and the macro that exports each; comments must have been stripped."""
    return {match[2]: match[1] for match in _EXPORT.finditer(text)}


def includes(text: str) -> Iterator[tuple[bool, str]]:
    """For each file that a text includes: whether its name is in quotes, and the name."""
    for match in _INCLUDE.finditer(text):
        yield match[1] == '"', match[2]


def declarations(text: str, wanted: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Name and text of each declaration, at file level, of a ``wanted`` symbol.

    Functions' bodies and initialisers are left out; comments must have been stripped.
    """
    for piece in _pieces(_DIRECTIVE.sub("", text)):
        plain = _POINTER.sub(r" \1 ", _ATTRIBUTE.sub(" ", piece))
        depth = 0
        for match in _DECLARED.finditer(plain):
            if match[1] is None:
                depth += 1 if match[0] == "(" else -1
            elif depth == 0 and match[1] in wanted:
                yield match[1], " ".join(piece.split())


def _pieces(text: str) -> Iterator[str]:
    """The text at file level between semicolons and bodies in braces."""
    depth, start = 0, 0
    for match in re.finditer(r"[{};]", text):
        if match[0] == "{":
            if depth == 0:
                yield text[start : match.start()]
            depth += 1
        elif match[0] == "}":
            depth = max(0, depth - 1)
            start = match.end()
        elif depth == 0:
            yield text[start : match.start()]
            start = match.end()
