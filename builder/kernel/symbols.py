"""Which configuration symbols a kernel's tree has, and which wanted ones it does not have."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from builder import names
from builder.kernel.config import OFF, Option

_DEFINED = re.compile(rb"^[ \t]*(?:menu)?config[ \t]+([A-Za-z0-9_]+)", re.MULTILINE)


def defined(tree: Path) -> frozenset[str]:
    """All symbols of a tree's Kconfig files, for whatever processor, with their ``CONFIG_``."""
    files = (path for path in tree.rglob("Kconfig*") if path.is_file())
    found = (name for path in files for name in _DEFINED.findall(path.read_bytes()))
    return frozenset(f"CONFIG_{name.decode()}" for name in found)


def unknown(wanted: Iterable[Option], known: frozenset[str]) -> tuple[Option, ...]:
    """The options whose symbols are not ``known``; one that is switched off need not exist."""
    return tuple(one for one in wanted if one.value != OFF and one.symbol not in known)


def told(option: Option, key: str, known: frozenset[str]) -> str:
    """An option with an unknown symbol: where it is set, and the symbol that was meant.

    ``key``: where it stands in its file, if that is not a configuration itself.
    """
    near = names.nearest(option.symbol, known)
    where = f"{option.origin}: {key}: " if key else f"{option.origin}: "
    return f"{where}{option.line}: this kernel has no symbol {option.symbol}{near}"
