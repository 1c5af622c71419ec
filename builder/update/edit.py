"""Edits of a profile.toml that keep its comments: line by line, then read again and compared."""

from __future__ import annotations

import copy
import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from builder import names, toml
from builder.errors import UsageError

_HEADER = re.compile(r"^\s*\[")


@dataclass(frozen=True)
class Change:
    """One text of a table: ``place`` is its path in the document, ``old`` becomes ``new``."""

    place: tuple[str | int, ...]
    old: str
    new: str

    @property
    def dotted(self) -> str:
        return ".".join(str(part) for part in self.place if isinstance(part, str))


def edit(path: Path, text: str, changes: tuple[Change, ...]) -> str:
    """The text of ``path`` with ``changes`` and nothing else changed.

    Each value must be in quotes on a line of its own table.  The result is parsed and compared with
    the intended document; raises UsageError with file and line for a layout in which they differ.
    """
    made = text
    for change in changes:
        made = _replace(path, made, change)
    try:
        found = tomllib.loads(made)
    except tomllib.TOMLDecodeError as error:
        raise _refuse(path, text, changes[0], str(error)) from error
    wanted = copy.deepcopy(tomllib.loads(text))
    for change in changes:
        _set(wanted, change)
    if found != wanted:
        raise _refuse(path, text, changes[0], "the edited lines do not say what they should")
    return made


def _replace(path: Path, text: str, change: Change) -> str:
    lines = text.splitlines(keepends=True)
    table, key = _table_of(change)
    for start, end in _spans(lines, table):
        for number in range(start, end):
            for quoted in (json.dumps(change.old, ensure_ascii=False), f"'{change.old}'"):
                if key and not re.match(rf"\s*{re.escape(key)}\s*=", lines[number]):
                    continue
                if quoted in _without_comment(lines[number]):
                    new = json.dumps(change.new, ensure_ascii=False)
                    lines[number] = lines[number].replace(quoted, new, 1)
                    return "".join(lines)
    raise _refuse(path, text, change, f"{change.old!r} does not stand in quotes in its table")


def _table_of(change: Change) -> tuple[str, str]:
    """The header under which a value is, and its key unless it is inside of another value."""
    texts = [part for part in change.place if isinstance(part, str)]
    if len(texts) == len(change.place):
        return ".".join(texts[:-1]), texts[-1]
    first = next(n for n, part in enumerate(change.place) if isinstance(part, int))
    return ".".join(str(part) for part in change.place[: first - 1]), ""


def _spans(lines: list[str], table: str) -> Iterator[tuple[int, int]]:
    """The lines of a table, its header left out."""
    headers = [n for n, line in enumerate(lines) if _HEADER.match(line) and "=" not in line]
    for number, start in enumerate(headers):
        name = lines[start].split("#")[0].strip().strip("[]").replace('"', "").replace("'", "")
        if name.replace(" ", "") == table:
            end = headers[number + 1] if number + 1 < len(headers) else len(lines)
            yield start + 1, end


def _without_comment(line: str) -> str:
    """A line up to its comment; a ``#`` in quotes begins none."""
    quote = ""
    for number, letter in enumerate(line):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        elif letter == "#":
            return line[:number]
    return line


def _set(document: Mapping[str, Any], change: Change) -> None:
    table: Any = document
    for part in change.place[:-1]:
        table = table[part]
    table[change.place[-1]] = change.new


def _refuse(path: Path, text: str, change: Change, cause: str) -> UsageError:
    line = toml.line_of(text, change.dotted)
    return UsageError(
        f"{names.place_of(path)}:{line} cannot be edited by itself",
        f"{change.dotted}: {cause}",
        f"write {change.new!r} there by hand",
    )
