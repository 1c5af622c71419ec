"""Command blocks of a how-to page, in the page's order."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, get_args

Where = Literal["director", "client", "packages", ""]
_MARK = re.compile(r"<!-- try: (?P<where>[a-z]+)(?P<reboot> reboot)? -->")
_FENCE = "```"


@dataclass(frozen=True)
class Block:
    """``line``: of the page, where the commands begin.  ``where``: the host; empty: untried.

    ``packages``: the director, as its package manager sees it.
    """

    line: int
    where: Where
    reboots: bool
    script: str


def blocks(text: str) -> tuple[Block, ...]:
    """All blocks of shell commands.  Raises ValueError for a mark that belongs to none."""
    found: list[Block] = []
    lines = text.splitlines()
    number = 0
    while number < len(lines):
        mark = _MARK.fullmatch(lines[number])
        if mark:
            number += 1
        elif lines[number].startswith("<!-- try"):
            raise ValueError(f"line {number + 1}: not understood: {lines[number]}")
        if number < len(lines) and lines[number] == f"{_FENCE}sh":
            end = lines.index(_FENCE, number)
            script = "\n".join(lines[number + 1 : end]) + "\n"
            reboots = bool(mark and mark["reboot"])
            found.append(Block(number + 2, _where(mark, number), reboots, script))
            number = end
        elif mark:
            raise ValueError(f"line {number}: no block of commands follows the mark")
        number += 1
    return tuple(found)


def _where(mark: re.Match[str] | None, number: int) -> Where:
    for one in get_args(Where):
        if one == (mark["where"] if mark else ""):
            return one  # type: ignore[no-any-return]
    raise ValueError(f"line {number}: no such host: {mark and mark['where']}")
