"""Subordinate user and group ids: what lets an ordinary user make a root file system."""

from __future__ import annotations

import grp
import pwd
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from builder.errors import EnvironmentFailure

FILES = (Path("/etc/subuid"), Path("/etc/subgid"))
OPTIONS = ("--add-subuids", "--add-subgids")
# As useradd gives them (login.defs(5), SUB_UID_MIN and SUB_UID_COUNT).
FIRST, COUNT = 100_000, 65536
# One below the id that means none (chown(2)).
LAST = 2**32 - 2


@dataclass(frozen=True)
class Range:
    """A line of subuid(5): ids from ``first`` on for ``owner``, a user's name or number."""

    owner: str
    first: int
    count: int


def require(user: int, files: tuple[Path, ...] = FILES) -> None:
    """Raise EnvironmentFailure, with the command to fix it, if a user has no subordinate ids.

    ``files``: subuid(5) and subgid(5), with lines ``NAME-OR-ID:FIRST:COUNT``.  The suggested ids
    are not in use yet.
    """
    try:
        name = pwd.getpwuid(user).pw_name
    except KeyError:
        name = str(user)
    given = [_read(path) for path in files]
    lacking = [
        number
        for number, ranges in enumerate(given)
        if not any(one.owner in (name, str(user)) for one in ranges)
    ]
    if not lacking:
        return
    first = _free([one for ranges in given for one in ranges])
    ids = f"{first}-{first + COUNT - 1}"
    words = " ".join(f"{OPTIONS[number]} {ids}" for number in lacking)
    raise EnvironmentFailure(
        f"user {name} cannot make a root file system",
        f"it has no subordinate ids in {' and '.join(str(files[n]) for n in lacking)}",
        f"sudo usermod {words} {name}",
    )


def _free(given: Sequence[Range]) -> int:
    """The first of ``COUNT`` ids that no range, user or group of this host has.

    Raises EnvironmentFailure if there is none.
    """
    first = FIRST
    for start, end in sorted(_taken(given)):
        if start - first >= COUNT:
            break
        first = max(first, end)
    if first + COUNT - 1 > LAST:
        raise EnvironmentFailure(
            f"no {COUNT} subordinate ids in a row are free",
            f"{' and '.join(map(str, FILES))} give them to others",
            "take ranges back that nobody uses: usermod --del-subuids FIRST-LAST USER",
        )
    return first


def _taken(given: Iterable[Range]) -> set[tuple[int, int]]:
    """The ids in use: the first one of each run of ids, and the one after its last."""
    own = {one.pw_uid for one in pwd.getpwall()} | {one.gr_gid for one in grp.getgrall()}
    return {(number, number + 1) for number in own} | {
        (one.first, one.first + one.count) for one in given
    }


def _read(path: Path) -> list[Range]:
    """The ranges of a file; none if it cannot be read."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    fields = [line.split(":") for line in lines]
    return [
        Range(words[0], int(words[1]), int(words[2]))
        for words in fields
        if len(words) == 3 and all(_is_number(word) for word in words[1:]) and int(words[2])
    ]


def _is_number(word: str) -> bool:
    return word.isascii() and word.isdecimal() and len(word) <= len(str(LAST))
