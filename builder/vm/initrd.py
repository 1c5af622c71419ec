"""Initial RAM file systems: cpio archives in "newc" form.

The kernel reads several, one after the other; a later file replaces an earlier file of the same
name (kernel: Documentation/driver-api/early-userspace/buffer-format.rst).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

ALIGNMENT = 4


@dataclass(frozen=True)
class InitrdEntry:
    """A file or, with an empty ``data`` and a folder's ``mode``, a folder (inode(7))."""

    name: str
    mode: int
    data: bytes = b""


def program(name: str, source: Path) -> InitrdEntry:
    return InitrdEntry(name, 0o100755, source.read_bytes())


def folder(name: str) -> InitrdEntry:
    return InitrdEntry(name, 0o040755)


def archive(entries: Iterable[InitrdEntry]) -> bytes:
    """An uncompressed archive of ``entries``, whose folders must come before what is in them."""
    whole = (*entries, InitrdEntry("TRAILER!!!", 0))
    return b"".join(_written(number, entry) for number, entry in enumerate(whole, 1))


def _written(number: int, entry: InitrdEntry) -> bytes:
    fields = (number, entry.mode, 0, 0, 1, 0, len(entry.data), 0, 0, 0, 0, len(entry.name) + 1, 0)
    head = "070701" + "".join(f"{field:08X}" for field in fields)
    return _padded(head.encode() + entry.name.encode() + b"\0") + _padded(entry.data)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % ALIGNMENT)


def joined(first: Path, added: bytes, target: Path) -> Path:
    """Write ``first``, followed by the archive ``added``, to ``target``."""
    target.write_bytes(_padded(first.read_bytes()) + added)
    return target
