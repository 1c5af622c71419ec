"""File names in the headers of a patch: where a name ends, and what else a header says.

How GNU patch reads them is described in its manual, "Multiple Patches in a File" and "diff
Headers"; the rest was tried with version 2.7.6.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from builder.errors import VerificationError
from builder.patch.lines import Lines
from builder.shown import printable

NULL = b"/dev/null"
LONGEST_PART = 255  # bytes, NAME_MAX of Linux' file systems
LONGEST = 2048  # bytes, as in archives
_SPACES = b" \t\r\n\v\f"
_SPACE = re.compile(rb"[ \t\r\n\v\f]+")
_ESCAPE = re.compile(rb'\\(?:([abfnrtv"\\])|([0-3][0-7]{2}))', re.DOTALL)
_QUOTED = re.compile(rb'"((?:[^"\\]|\\(?:[abfnrtv"\\]|[0-3][0-7]{2}))*)"')
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
_LETTERS = dict(zip(b"abfnrtv", b"\a\b\f\n\r\t\v", strict=True))
# A time of zero says that the file does not exist; it is a local time, of any zone.
_EPOCH = re.compile(
    rb"\b(?:1970-01-01|1969-12-31|0?1[ -]Jan[ -]1970|31[ -]Dec[ -]1969"
    rb"|Jan +0?1 +(?:[\d:.]+ +)?1970|Dec +31 +(?:[\d:.]+ +)?1969)\b"
)


@dataclass(frozen=True)
class Name:
    """``raw``: as the header has it, without quotes; ``stripped``: under ``-p1``."""

    raw: bytes
    stripped: bytes


@dataclass(frozen=True)
class Header:
    """What follows ``---``, ``+++`` or ``Index:``.

    ``name`` is None for /dev/null, and for a name of which ``-p1`` leaves nothing; the latter
    is not a name at all (``counts`` is false).  ``is_epoch``: the file does not exist.
    """

    name: Name | None
    counts: bool
    is_epoch: bool


def unquote(text: bytes) -> tuple[bytes, bytes] | None:
    """The name in C's quotes that ``text`` begins with, and the rest; None if it is malformed."""
    found = _QUOTED.match(text)
    if found is None:
        return None
    return _ESCAPE.sub(_letter, found[1]), text[found.end() :]


def _letter(found: re.Match[bytes]) -> bytes:
    if found[2]:
        return bytes([int(found[2], 8)])
    return bytes([_LETTERS.get(found[1][0], found[1][0])])


def strip(raw: bytes) -> Name | None:
    """The name under ``-p1``; None if nothing is left of it."""
    _, slash, rest = raw.partition(b"/")
    rest = rest.lstrip(b"/")
    return Name(raw, rest) if slash and rest else None


def read(text: bytes, *, index: bool = False) -> Header:
    """The header whose line ends in ``text``; ``index``: an ``Index:`` line, which has no time."""
    text = text.lstrip(_SPACES)
    if text.startswith(b'"'):
        found = unquote(text)
        if found is None:
            return Header(None, counts=False, is_epoch=False)
        raw, rest = found
    else:
        end = _end(text, b"\n" if index else b"\t")
        raw, rest = text[:end], text[end:]
    if raw == NULL:
        return Header(None, counts=True, is_epoch=True)
    name = strip(raw)
    if name is None or (index and rest not in (b"", b"\n")):
        return Header(None, counts=False, is_epoch=False)
    return Header(name, counts=True, is_epoch=bool(_EPOCH.search(rest)))


def _end(text: bytes, mark: bytes) -> int:
    """Where the name ends: at a blank, but blanks before a tab belong to it."""
    for found in _SPACE.finditer(text):
        inside = b"\t" not in found[0] and mark in text[found.end() :]
        if not inside:
            return found.start()
    return len(text)


def both(text: bytes) -> tuple[Name, Name] | None:
    """The two names of a ``diff --git`` line; None where blanks make it ambiguous."""
    names: list[Name] = []
    for _ in range(2):
        text = text.lstrip(_SPACES)
        if text.startswith(b'"'):
            found = unquote(text)
            if found is None:
                return None
            raw, text = found
        else:
            end = _SPACE.search(text)
            at = end.start() if end else len(text)
            raw, text = text[:at], text[at:]
        name = strip(raw)
        if name is None:
            return None
        names.append(name)
    return (names[0], names[1]) if not text.strip(_SPACES) else None


def plain(text: bytes) -> bytes:
    """The name on a ``rename`` or ``copy`` line, which has no prefix."""
    text = text.strip(b"\r\n")
    found = unquote(text)
    return found[0] if found else text


def require_safe(lines: Lines, at: int, name: Name) -> str:
    """The path in the tree.

    Raises VerificationError if it leads out of the tree, PatchError if it is too long for any file
    system.
    """
    reason = _find_danger(name)
    if reason:
        raise VerificationError(
            f"{lines.path}:{at}: the patch touches {os.fsdecode(name.raw)!r}",
            f"{reason}; a patch may only touch files of the tree it is for",
            "do not use this patch before you know where it comes from",
        )
    _refuse_long(lines, at, name.stripped)
    return os.fsdecode(name.stripped)


def _find_danger(name: Name) -> str:
    parts = name.stripped.split(b"/")
    if name.raw.startswith(b"/"):
        return "an absolute path"
    if b".." in parts:
        return "it climbs out of the tree"
    if any(part.lower() == b".git" for part in parts):
        return "it reaches into .git"
    odd = b"//" in name.raw or any(part in (b"", b".") for part in parts)
    return "not a plain path" if odd or _CONTROL.search(name.stripped) else ""


def _refuse_long(lines: Lines, at: int, name: bytes) -> None:
    longest = max(len(part) for part in name.split(b"/"))
    if longest > LONGEST_PART or len(name) > LONGEST:
        begin = printable(os.fsdecode(name[:40]))
        raise lines.malformed(
            at,
            f"the name {begin}... is too long: {len(name)} bytes, one part of it {longest}; no"
            f" more than {LONGEST} and {LONGEST_PART} are possible",
            "shorten the name in the patch, if the tree's file has another one",
        )
