"""One patch file: which files it touches and what each hunk says.

Where diffs begin and which names count is as in GNU patch (``builder.patch.section``); this
module says what is done to which file, and refuses what a builder must not or cannot do.
Patches are read as bytes, since sources need not be UTF-8.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from builder.errors import PatchError
from builder.patch import kind, lines, names, section
from builder.patch.hunk import Hunk
from builder.patch.lines import Lines
from builder.patch.names import Name
from builder.patch.section import SAYS_GONE, Section

__all__ = ["Hunk", "PatchedFile", "parse"]

_REGULAR = re.compile(rb"100[4-7][0-7]{2}")
_MOVES = (b"rename", b"copy")


@dataclass(frozen=True)
class PatchedFile:
    """What a patch does to one file.

    ``path``: the file's name in the tree, after the change (before it, if deleted).
    ``candidates``: the names that it may have, of which GNU patch chooses one by what exists;
    ``path`` is the likeliest.  ``origin``: the name it is renamed or copied from, if it is.
    ``mode_change``: git's old and new mode, if it has both.  ``line``: where in the patch file this
    part begins, from 1.  ``carriage``: its header's lines end in carriage returns.  ``spans``: for
    each hunk the numbers (from 0) of its first line and of the line after it.
    """

    path: str
    is_new: bool
    is_deleted: bool
    hunks: tuple[Hunk, ...]
    origin: str | None = None
    is_copy: bool = False
    mode_change: tuple[str, str] | None = None
    line: int = 0
    candidates: tuple[str, ...] = ()
    carriage: bool = False
    spans: tuple[tuple[int, int], ...] = ()

    @property
    def paths(self) -> tuple[str, ...]:
        """Every path that it may read or write."""
        origin = () if self.origin is None else (self.origin,)
        return tuple(dict.fromkeys((*origin, self.path, *self.candidates)))


def parse(path: Path, data: bytes) -> tuple[PatchedFile, ...]:
    """The files that the patch ``data``, read from ``path``, touches, in its order.

    Raises PatchError with file and line if it is not a well-formed unified diff or has changes that
    GNU patch cannot make (binary changes, symbolic links, submodules), and VerificationError if it
    names a path outside the tree.
    """
    kind.refuse(path, data)
    text = lines.split(path, data)
    files = tuple(_read_file(text, one) for one in section.find(text))
    if not files:
        section.require_unquoted(text)
        raise text.malformed(1, "it changes no file")
    return files


def _read_file(text: Lines, one: Section) -> PatchedFile:
    _refuse_unsupported(text, one)
    origin, moved = _moved(text, one)
    candidates = _candidates(text, one)
    if one.is_git and len(candidates) > 1 and not origin:
        reason = f"{' becomes '.join(candidates)} without a line that says rename or copy"
        raise text.malformed(one.line, reason)
    before, after = (mode.decode("latin-1") for mode in one.modes)
    result = PatchedFile(
        path=moved or candidates[-1],
        is_new=not moved and bool(one.gone[0]),
        is_deleted=one.gone[1] == SAYS_GONE,
        hunks=tuple(one.hunks),
        origin=origin or None,
        is_copy=b"copy from" in one.moves,
        mode_change=(before, after) if before and after and before != after else None,
        line=one.line,
        candidates=candidates,
        carriage=one.carriage,
        spans=tuple(one.spans),
    )
    silent = not (result.hunks or moved or result.mode_change)
    if silent and not (result.is_new or result.is_deleted):
        raise text.malformed(one.line, f"it does not say what to do with {result.path}")
    return result


def _candidates(text: Lines, one: Section) -> tuple[str, ...]:
    """Old and new name; an ``Index:`` line counts only where there is neither."""
    given = [side for side in one.sides if side is not None]
    found = given or ([one.index] if one.index is not None else [])
    if not found:
        raise _nameless(text, one)
    return tuple(dict.fromkeys(names.require_safe(text, one.line, name) for name in found))


def _nameless(text: Lines, one: Section) -> PatchError:
    return text.malformed(
        one.line,
        "-p1 leaves nothing of the file's name, or the header before this line has none",
        "put a/ and b/ before the names in its --- and +++ lines (quilt refresh -p1 does)",
    )


def _refuse_unsupported(text: Lines, one: Section) -> None:
    if any(mode and not _REGULAR.fullmatch(mode) for mode in one.modes):
        old, new = (mode.decode("latin-1") for mode in one.modes)
        raise PatchError(
            f"{text.path}:{one.line}: a symbolic link, submodule or special file, which patch(1)"
            " cannot do safely",
            f"modes: {old or 'none'}, {new or 'none'}",
            "carry such a file as a source of its own and put it in place in the spec",
        )


def _moved(text: Lines, one: Section) -> tuple[str, str]:
    """Both names of a rename or copy; empty texts if it is neither.

    git's own lines have no a/ and b/; GNU patch takes the names of the others.
    """
    for word in _MOVES:
        told = [one.moves.get(word + end) for end in (b" from", b" to")]
        if None in told:
            continue
        said = [names.require_safe(text, one.line, Name(name, name)) for name in told if name]
        sides = [names.require_safe(text, one.line, name) for name in one.sides if name]
        if said != sides:
            raise text.malformed(
                one.line, f"it does not say what to do with {' and '.join(sides) or said[-1]}"
            )
        return sides[0], sides[1]
    if one.moves:
        raise text.malformed(one.line, "a rename or copy lacks one of its two names")
    return "", ""
