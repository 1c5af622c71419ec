"""Verified bytes in the cache, each file named by its SHA-256 and never changed again.

Disks fail and people edit, so a blob is checked against its name before it is used (``damage``).
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

import msgspec

from builder.digest import Digest, of_file
from builder.host.paths import Cache


class Damage(msgspec.Struct, frozen=True):
    """A blob whose bytes do not match its name; ``kept`` is where they were put aside."""

    file: str
    expected: Digest
    found: Digest
    kept: Path

    def __str__(self) -> str:
        return (
            f"{self.file} in the cache is damaged: its sha256 is {self.found}; kept as {self.kept}"
        )

    @property
    def cause(self) -> str:
        """What was expected and what was found, in lines."""
        return f"sha256 expected {self.expected}\nsha256 got      {self.found}\nkept as {self.kept}"


def find_blob(cache: Cache, sha256: Digest) -> Path | None:
    """The blob of that digest, if there is such a file; no byte of it is read."""
    path = cache.blobs / sha256
    try:
        found = path.lstat()
    except FileNotFoundError:
        return None
    return path if stat.S_ISREG(found.st_mode) else None


def measure(path: Path) -> tuple[Digest, int]:
    """SHA-256 and size in bytes of a file."""
    return of_file(path), path.stat().st_size


def adopt(cache: Cache, path: Path, sha256: Digest) -> Path:
    """Move a measured file of the cache's own disk into the blobs, whole or not at all.

    A blob of that name is replaced, because nobody has measured it.
    """
    cache.blobs.mkdir(parents=True, exist_ok=True)
    with path.open("rb") as file:
        os.fsync(file.fileno())
    path.chmod(0o444)
    blob = cache.blobs / sha256
    path.rename(blob)
    _sync(cache.blobs)
    return blob


def set_aside(cache: Cache, path: Path, sha256: Digest, file: str) -> Path:
    """Keep bytes that failed verification for inspection; return where."""
    cache.aside.mkdir(parents=True, exist_ok=True)
    kept = cache.aside / f"{sha256[:16]}-{file}"
    path.rename(kept)
    return kept


def damage(cache: Cache, sha256: Digest, file: str) -> Damage | None:
    """Read a blob again and check its digest; wrong bytes are put aside.

    ``file``: the name under which people know it.  None if the bytes are right, or if there is no
    such blob (another run may have put it aside).
    """
    path = cache.blobs / sha256
    try:
        found = of_file(path)
        if found == sha256:
            return None
        return Damage(file, sha256, found, set_aside(cache, path, found, file))
    except FileNotFoundError:
        return None


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
