"""What a person looks at before a move is committed: hunks that moved, symbols that changed."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from builder.forensics import kconfig
from builder.forensics.findings import ComponentFindings
from builder.forensics.kconfig import FIELDS, SINGULAR, SymbolChange
from builder.forensics.view import TreeView
from builder.patch.report import FileReport, HunkOutcome, HunkReport, PatchReport
from builder.profile.load import FRAGMENTS

_SYMBOL = re.compile(r"^(?:# )?CONFIG_(\w+)", re.MULTILINE)
_SHOWN = 60  # symbols


def hunks(before: ComponentFindings | None, after: ComponentFindings) -> Iterator[str]:
    """A line on how many hunks are as before, and one for each that moved or failed.

    ``before``: None if the old tree is not available; then every hunk counts that is not clean.
    """
    old = {} if before is None else dict(_placed(before.patches))
    count = same = 0
    lines: list[str] = []
    for key, hunk in _placed(after.patches):
        count += 1
        known = old.get(key)
        if hunk == known or (known is None and hunk.outcome is HunkOutcome.CLEAN):
            same += 1
            continue
        was = f", before {known.kind} at line {known.line}" if known else ""
        lines.append(f"{' '.join(key[:2])} hunk {key[2]}: {hunk.kind} at line {hunk.line}{was}")
    failed = sum(patch.failed for patch in after.patches)
    words = "as before" if before is not None else "clean"
    yield (
        f"patches: {len(after.patches) - failed} of {len(after.patches)} apply; "
        f"{count} hunks, {same} {words}, {len(lines)} moved or failed"
    )
    yield from (f"  {line}" for line in lines)


def _placed(patches: tuple[PatchReport, ...]) -> Iterator[tuple[tuple[str, str, int], HunkReport]]:
    for patch in patches:
        for file in patch.files:
            yield from _numbered(patch, file)


def _numbered(
    patch: PatchReport, file: FileReport
) -> Iterator[tuple[tuple[str, str, int], HunkReport]]:
    for number, hunk in enumerate(file.hunks, 1):
        yield (patch.name, file.path, number), hunk


def symbols(old: Path, new: Path, configured: Mapping[str, str]) -> Iterator[str]:
    """The Kconfig symbols that differ between two trees.

    ``configured``: the fragments of the profile, by the symbol that they set: those go first.
    """
    changes = kconfig.compare(TreeView(old), TreeView(new), _differing(old, new)).changes
    if not changes:
        yield "Kconfig: no symbol changed"
        return
    ordered = sorted(changes, key=lambda change: change.name not in configured)
    yield f"Kconfig: {len(changes)} symbols changed"
    for change in ordered[:_SHOWN]:
        yield f"  {_line(change, configured)}"
    if len(ordered) > _SHOWN:
        yield f"  ... and {len(ordered) - _SHOWN} more"


def _line(change: SymbolChange, configured: Mapping[str, str]) -> str:
    setter = configured.get(change.name)
    told = [_difference(name, change) for name in FIELDS if change.before and change.after]
    words = ", ".join(filter(None, told))
    line = f"{change.name} ({change.file}) {change.change}"
    return f"{line}{f': {words}' if words else ''}{f' (set in {setter})' if setter else ''}"


def _difference(name: str, change: SymbolChange) -> str:
    """What has changed in an attribute; for a list, only removed and added items."""
    old, new = getattr(change.before, name), getattr(change.after, name)
    label = SINGULAR.get(name, name)
    if old == new:
        return ""
    if isinstance(old, str):
        return f"{label} {old or 'none'} -> {new or 'none'}"
    gone = [f"-{one}" for one in old if one not in new]
    come = [f"+{one}" for one in new if one not in old]
    return f"{label} {' '.join([*gone, *come]) or 'in another order'}"


def _differing(old: Path, new: Path) -> frozenset[str]:
    """The Kconfig files that are not the same in both trees."""
    names = {*_kconfig_files(old), *_kconfig_files(new)}
    return frozenset(name for name in names if TreeView(old).read(name) != TreeView(new).read(name))


def _kconfig_files(tree: Path) -> Iterator[str]:
    for folder, _, files in os.walk(tree):
        for name in files:
            if name.startswith(("Kconfig", "Config.in")):
                yield str((Path(folder) / name).relative_to(tree))


def lines_changed(before: bytes, after: bytes) -> Iterator[str]:
    """The removed and added lines of a file, each with its sign."""
    old, new = before.decode().splitlines(), after.decode().splitlines()
    for line in difflib.unified_diff(old, new, n=0, lineterm=""):
        if not line.startswith(("---", "+++", "@@")):
            yield line


def fragments(specs: Path) -> dict[str, str]:
    """The symbols that a profile's fragments set, each with the fragment that does."""
    found: dict[str, str] = {}
    for path in sorted((specs / FRAGMENTS).glob("*.config")):
        for symbol in _SYMBOL.findall(path.read_text(encoding="utf-8")):
            found.setdefault(symbol, path.name)
    return found
