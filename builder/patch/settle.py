"""Puts a patch into the one form that every GNU patch reads the same way.

Mail programs remove the last line feed, and add carriage returns at the ends of lines and blanks
after modes.  The patch that is applied, and that goes into the source RPM, has these corrected, and
is otherwise byte for byte the given patch.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from enum import Enum
from pathlib import Path

from builder.patch import diff, lines
from builder.patch.diff import PatchedFile
from builder.patch.lines import Lines, without_return
from builder.patch.series import Patch

TAKEN_OFF = "the patch has CRLF line ends, the file has not: applied without them"
KEPT = "the patch has CRLF line ends, as the file has: applied with them"
_MODE = re.compile(rb"((?:old|new|deleted file|new file) mode \d+|index [0-9a-f.]+ \d+)[ \t\r]+\n")


class _Returns(Enum):
    """What becomes of the carriage returns in a hunk's lines."""

    AS_THEY_ARE = ""
    TAKEN_OFF = TAKEN_OFF
    KEPT = KEPT


def settle(patch: Patch, files: Path) -> tuple[Patch, tuple[str, ...]]:
    """``patch`` as it is to be applied to ``files``, those of the tree that it touches.

    Also returns what was done to line ends, in words, for each of its files.  If a patch's header
    lines end in carriage returns, GNU patch removes them from all lines.  Such a patch gets the
    line ends of the files that it is for: where a file has CRLF line ends, they are kept.
    """
    text = lines.split(patch.path, patch.data)
    ways = [_way(text, file, files) for file in patch.files]
    data = b"".join((*_turned(text, patch.files, ways), *_missing(patch.files, ways[-1])))
    if data != patch.data:
        patch = replace(patch, data=data, files=diff.parse(patch.path, data))
    return patch, tuple(way.value for way in ways)


def _way(text: Lines, file: PatchedFile, files: Path) -> _Returns:
    body = (row for first, end in file.spans for row in range(first + 1, end))
    if not file.carriage or not any(text.lines[row].endswith(b"\r\n") for row in body):
        return _Returns.AS_THEY_ARE
    return _Returns.KEPT if _has_returns(file, files) else _Returns.TAKEN_OFF


def _has_returns(file: PatchedFile, files: Path) -> bool:
    """Whether the hunks fit the file's lines with their carriage returns rather than without."""
    present = [files / name for name in file.candidates if (files / name).is_file()]
    if not present:
        return False
    content = b"\n" + present[-1].read_bytes()
    blocks = [hunk.before for hunk in file.hunks]
    kept = sum(b"\n" + block in content for block in blocks)
    taken = sum(b"\n" + block.replace(b"\r\n", b"\n") in content for block in blocks)
    if kept != taken:
        return kept > taken
    return content.count(b"\r\n") * 2 > content.count(b"\n")


def _turned(text: Lines, files: tuple[PatchedFile, ...], ways: list[_Returns]) -> Iterator[bytes]:
    carriage = any(file.carriage for file in files)
    body: dict[int, _Returns] = {}
    for file, way in zip(files, ways, strict=True):
        for first, end in file.spans:
            head = _Returns.TAKEN_OFF if file.carriage else way
            body |= {first: head} | dict.fromkeys(range(first + 1, end), way)
    for row, line in enumerate(text.lines):
        if row in body:
            # A last line without line feed has no carriage return either.
            ends = text.lines[row + 1 : row + 2] and text.lines[row + 1].startswith(b"\\")
            yield _turn(line, _Returns.TAKEN_OFF if ends and body[row].value else body[row])
        else:
            yield _MODE.sub(rb"\1\n", without_return(line) if carriage else line)


def _turn(line: bytes, way: _Returns) -> bytes:
    if way is _Returns.AS_THEY_ARE:
        return line
    if way is _Returns.TAKEN_OFF or line.startswith((b"\\", b"#")):
        return without_return(line)
    return b" \r\n" if line == b"\r\n" else line


def _missing(files: tuple[PatchedFile, ...], way: _Returns) -> Iterator[bytes]:
    """The blank context lines that the last hunk lacks."""
    line = b" \r\n" if way is _Returns.KEPT else b" \n"
    for hunk in files[-1].hunks[-1:]:
        yield from [line] * hunk.chopped
