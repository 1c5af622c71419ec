"""Digests of a stage's inputs, as named values that people can read in ``explain``."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path

import msgspec

from builder.digest import Digest, of_file, of_text

__all__ = ["Input", "files", "key", "of_file", "of_text"]

_LEAVINGS = ("~", ".swp", ".orig", ".rej")


class Input(msgspec.Struct, frozen=True, order=True):
    """One thing a stage depends on: its name and its SHA-256, or a short value as it is."""

    name: str
    value: str


def files(prefix: str, root: Path, paths: Iterable[Path]) -> tuple[Input, ...]:
    """One input per file, named ``prefix:<path below root>``; folders mean all below them.

    Byte code and editors' leavings do not count.
    """
    found: set[Path] = set()
    for path in paths:
        found.update(_below(path) if path.is_dir() else [path])
    return tuple(
        Input(f"{prefix}:{path.relative_to(root)}", of_file(path)) for path in sorted(found)
    )


def _below(folder: Path) -> list[Path]:
    return [
        path
        for parent, _, names in os.walk(folder)
        for path in (Path(parent, name) for name in names if not name.endswith(_LEAVINGS))
        if path.is_file() and "__pycache__" not in path.parts
    ]


def key(inputs: Iterable[Input]) -> Digest:
    """The digest of all inputs together; order does not matter."""
    rows = sorted((entry.name, entry.value) for entry in inputs)
    return of_text(json.dumps(rows, separators=(",", ":")))
