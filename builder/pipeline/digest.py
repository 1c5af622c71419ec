"""Digests of a stage's inputs, as named values that people can read in ``explain``."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

CHUNK = 1 << 20


@dataclass(frozen=True, order=True)
class Input:
    """One thing a stage depends on: its name and its SHA-256, or a short value as it is."""

    name: str
    value: str


def of_file(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(CHUNK):
            digest.update(block)
    return digest.hexdigest()


def of_text(text: str) -> str:
    """SHA-256 of a text in UTF-8, in hex."""
    return hashlib.sha256(text.encode()).hexdigest()


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
        for path in folder.rglob("*")
        if path.is_file()
        and "__pycache__" not in path.parts
        and not path.name.endswith(("~", ".swp", ".orig", ".rej"))
    ]


def key(inputs: Iterable[Input]) -> str:
    """The digest of all inputs together; order does not matter."""
    rows = sorted((entry.name, entry.value) for entry in inputs)
    return of_text(json.dumps(rows, separators=(",", ":")))
