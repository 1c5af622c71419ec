"""The order of a component's patches: the file ``series``, as quilt(1) keeps it.

No patch is read here: often only their names are needed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from builder import text as texts
from builder.errors import UsageError

SERIES = "series"


def names(folder: Path) -> tuple[str, ...]:
    """The patches' names in their order; none of them is read.

    Raises UsageError with file and line for a list that cannot be used.
    """
    return tuple(name for _, name in listed(folder))


def listed(folder: Path) -> tuple[tuple[int, str], ...]:
    """Line number in the list, and name, of each patch; raises as ``names``."""
    found = tuple(_read_series(folder / SERIES)) if (folder / SERIES).is_file() else ()
    _refuse_unlisted(folder, {name for _, name in found})
    return found


def _read_series(path: Path) -> Iterator[tuple[int, str]]:
    """Line number and patch name of each entry."""
    seen: dict[str, int] = {}
    for number, line in enumerate(texts.read(path).removeprefix("\ufeff").split("\n"), 1):
        words = re.sub(r"(^|\s)#.*", "", line).split()
        if not words:
            continue
        name, options = words[0], words[1:]
        _refuse_options(path, number, options)
        if "/" in name or name in (".", ".."):
            raise UsageError(
                f"{path}:{number}: {name} is not a plain file name",
                "patches lie beside the series file; source RPMs keep them in one flat folder",
                f"move it to {path.parent} and list it as {Path(name).name}",
            )
        if name in seen:
            raise UsageError(
                f"{path}:{number}: {name} is listed twice",
                f"first on line {seen[name]}",
                "remove one of the two lines",
            )
        seen[name] = number
        yield number, name


def _refuse_options(path: Path, number: int, options: list[str]) -> None:
    for option in options:
        if option != "-p1":
            raise UsageError(
                f"{path}:{number}: option {option} is not supported",
                "every patch is applied with -p1, here and by %autopatch in the source RPM",
                "make the patch anew with a/ and b/ before its paths (quilt refresh -p1)",
            )


def _refuse_unlisted(folder: Path, listed: set[str]) -> None:
    if not folder.is_dir():
        return
    for path in sorted(folder.iterdir()):
        if path.name not in listed and not _is_beside(path):
            raise UsageError(
                f"{folder / SERIES}: {path.name} is not listed",
                f"{path} lies beside the series but would never be applied",
                f"add a line {path.name} where it belongs in the order, or remove it from there",
            )


def _is_beside(path: Path) -> bool:
    """Whether it is never a patch: the list, notes, hidden files and editors' backups."""
    return path.name == SERIES or path.name.startswith((".", "README")) or path.name.endswith("~")
