"""One patch file: which files it touches and what each hunk says.

The grammar is left to the unidiff library; this module adds what a builder must know
beyond it: exact bytes of each hunk, paths that stay inside a tree, and line numbers in
complaints.  Patches are read byte by byte alike (latin-1), since sources need not be UTF-8.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from unidiff import patch as unidiff
from unidiff.errors import UnidiffParseError

from builder.errors import UsageError, VerificationError

EPOCH = re.compile(r"^(1970-01-01|1969-12-31)\b")
REGULAR_MODES = (None, "100644", "100755", "100664", "100600", "100700", "100775")
MARKED_HEADER = re.compile(rb"^(--- |\+\+\+ |@@ |diff --git ).*\r$", re.MULTILINE)
SIGNATURE = "-- \n"
EXTENDED = re.compile(r"^(rename|copy) (from|to) (.*)\n?$")


@dataclass(frozen=True)
class Hunk:
    """One change of a file.

    ``header``: the ``@@ ... @@`` line.  ``start``: the line where it expects the old text
    (0 in a new file).  ``text``: header and body as the patch has them.
    """

    header: str
    start: int
    text: bytes

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
        for line in self.text.split(b"\n")[1:]:
            kind = line[:1]
            if kind == b"\\" and previous in (sign, b" ") and wanted:
                wanted[-1] = wanted[-1].removesuffix(b"\n")
            elif kind in (sign, b" "):
                wanted.append(line[1:] + b"\n")
            previous = kind
        return b"".join(wanted)

    @property
    def adds(self) -> bool:
        """Whether it puts in lines (a hunk may only take away)."""
        return any(line.startswith(b"+") for line in self.text.split(b"\n")[1:])


@dataclass(frozen=True)
class PatchedFile:
    """What a patch does to one file.

    ``path``: the file's name in the tree, after the change (before it, if deleted).
    ``origin``: the name it is renamed or copied from, if it is.
    ``mode_change``: git's old and new mode, if it has both.  ``line``: where in the patch
    file this part begins, from 1.
    """

    path: str
    is_new: bool
    is_deleted: bool
    hunks: tuple[Hunk, ...]
    origin: str | None = None
    is_copy: bool = False
    mode_change: tuple[str, str] | None = None
    line: int = 0

    @property
    def paths(self) -> tuple[str, ...]:
        """Every path that it reads or writes."""
        return (self.path,) if self.origin is None else (self.origin, self.path)


class _Source:
    """The patch's lines, with a count of how far the parser has come."""

    def __init__(self, lines: Sequence[str]) -> None:
        self._lines = lines
        self.position = 0

    def __iter__(self) -> Iterator[str]:
        for number, line in enumerate(self._lines, 1):
            self.position = number
            yield line


def parse(path: Path, data: bytes) -> tuple[PatchedFile, ...]:
    """The files that the patch ``data``, read from ``path``, touches, in its order.

    Raises UsageError with file and line if it is no well-formed unified diff or holds what
    GNU patch cannot do (binary changes, symbolic links, submodules), and VerificationError
    if it names a path outside the tree.
    """
    _refuse_crlf(path, data)
    lines = [line + "\n" for line in data.decode("latin-1").split("\n")]
    last = lines.pop().removesuffix("\n")
    lines += [last] if last else []
    source = _Source(lines)
    try:
        parsed = unidiff.PatchSet(source)
    except (UnidiffParseError, ValueError) as error:
        raise _malformed(path, source.position, str(error).strip()) from error
    if not parsed:
        raise _malformed(path, 1, "it changes no file")
    return tuple(_read_file(path, lines, item) for item in parsed)


def _malformed(path: Path, line: int, reason: str) -> UsageError:
    return UsageError(
        f"{path}:{line}: malformed patch",
        reason,
        "make it anew with `git format-patch` or `quilt refresh`, not by editing hunks by hand",
    )


def _refuse_crlf(path: Path, data: bytes) -> None:
    found = MARKED_HEADER.search(data)
    if found is not None:
        line = data.count(b"\n", 0, found.start()) + 1
        raise UsageError(
            f"{path}:{line}: the patch has CRLF line ends",
            "its header lines end in a carriage return, so no hunk can match",
            f"convert it: sed -i 's/\\r$//' {path}",
        )


def _read_file(path: Path, lines: Sequence[str], item: unidiff.PatchedFile) -> PatchedFile:
    at = item.diff_line_no or 1
    if at > 1 and lines[at - 1].startswith("+++ "):
        at -= 1
    info = [str(line) for line in (item.patch_info or [])]
    is_git = bool(info) and info[0].startswith("diff --git ")
    _refuse_unsupported(path, at, item)
    hunks = tuple(_read_hunk(path, lines, hunk) for hunk in item)
    old, new = (_strip(path, at, name) for name in (item.source_file, item.target_file))
    moved = dict(_moves(path, at, info)) if is_git else {}
    name = new or old
    if name is None:
        raise _malformed(path, at, "both sides are /dev/null")
    if is_git and (old and new and old != new) and not moved:
        raise _malformed(path, at, f"{old} becomes {new} without a line that says rename or copy")
    before, after = item.source_mode, item.target_mode
    change = (before, after) if before and after and before != after else None
    result = PatchedFile(
        path=name,
        is_new=not moved and bool(item.is_added_file),
        is_deleted=new is None or bool(EPOCH.match(item.target_timestamp or "")),
        hunks=hunks,
        origin=moved.get("from"),
        is_copy="copy" in moved,
        mode_change=change,
        line=at,
    )
    silent = not (hunks or moved or change or result.is_new or result.is_deleted)
    if silent or moved.get("to", name) != name:
        raise _malformed(path, at, f"it does not say what to do with {name}")
    return result


def _refuse_unsupported(path: Path, line: int, item: unidiff.PatchedFile) -> None:
    kind = None
    if item.is_binary_file:
        kind = "a binary change"
    elif item.source_mode not in REGULAR_MODES or item.target_mode not in REGULAR_MODES:
        kind = "a symbolic link, submodule or special file"
    if kind is not None:
        raise UsageError(
            f"{path}:{line}: {item.path}: {kind}, which patch(1) cannot do safely",
            f"modes: {item.source_mode} {item.target_mode}",
            "carry such a file as a source of its own and put it in place in the spec",
        )


def _moves(path: Path, line: int, info: Sequence[str]) -> Iterator[tuple[str, str]]:
    """git's ``rename from``, ``copy to`` ... lines; these names have no a/ or b/."""
    for text in info:
        found = EXTENDED.match(text)
        if found is not None:
            yield found[1], "yes"
            yield found[2], _safe(path, line, found[3])


def _strip(path: Path, line: int, raw: str) -> str | None:
    """The name under ``-p1``; None for /dev/null."""
    raw = raw.rstrip(" ") if "\t" not in raw else raw
    if raw == "/dev/null":
        return None
    if raw.startswith("/"):
        raise _unsafe(path, line, raw, "an absolute path")
    first, slash, rest = raw.partition("/")
    if not slash and not raw.startswith('"'):
        raise _malformed(path, line, f"-p1 leaves nothing of the file name {first!r}")
    return _safe(path, line, raw if raw.startswith('"') else rest)


def _safe(path: Path, line: int, name: str) -> str:
    if name.startswith('"'):
        raise _malformed(path, line, f"quoted file name {name}: use git -c core.quotePath=false")
    parts = name.split("/")
    reason = None
    if parts[0] == "":
        reason = "an absolute path"
    elif ".." in parts:
        reason = "it climbs out of the tree"
    elif any(part.lower() == ".git" for part in parts):
        reason = "it reaches into .git"
    elif any(part in ("", ".") for part in parts) or any(ord(letter) < 32 for letter in name):
        reason = "not a plain path"
    if reason is not None:
        raise _unsafe(path, line, name, reason)
    return os.fsdecode(name.encode("latin-1"))


def _unsafe(path: Path, line: int, name: str, reason: str) -> VerificationError:
    return VerificationError(
        f"{path}:{line}: the patch touches {name!r}",
        f"{reason}; a patch may only touch files of the tree it is for",
        "do not use this patch before you know where it comes from",
    )


def _read_hunk(path: Path, lines: Sequence[str], hunk: unidiff.Hunk) -> Hunk:
    numbers = [line.diff_line_no for line in hunk if line.diff_line_no is not None]
    if not numbers:
        raise _malformed(path, 1, "a hunk without lines")
    first, last = numbers[0] - 2, numbers[-1]
    if last < len(lines) and lines[last].startswith("\\ "):
        last += 1
    _refuse_surplus(path, lines, last)
    text = "".join(lines[first:last]).encode("latin-1")
    header = lines[first].rstrip("\n").encode("latin-1").decode(errors="replace")
    return Hunk(header, hunk.source_start, text)


def _refuse_surplus(path: Path, lines: Sequence[str], after: int) -> None:
    """A body longer than its header says: patch(1) would pass over the rest in silence."""
    if after >= len(lines) or lines[after] == SIGNATURE or lines[after].startswith("--- "):
        return
    if lines[after][:1] in ("+", "-", " ") and lines[after].rstrip() != "--":
        raise _malformed(path, after + 1, "the hunk has more lines than its header says")
