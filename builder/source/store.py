"""Verified bytes in the cache, each file named by its SHA-256 and never changed again."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from builder.errors import VerificationError
from builder.host.paths import Cache


def find_blob(cache: Cache, sha256: str, size: int | None = None) -> Path | None:
    """The blob of that digest if it is there whole; no byte of it is read.

    ``size`` in bytes, if known: a blob of another size (a disk's mishap) counts as missing.
    """
    path = cache.blobs / sha256
    try:
        found = path.stat().st_size
    except FileNotFoundError:
        return None
    return path if size is None or found == size else None


def measure(path: Path) -> tuple[str, int]:
    """SHA-256 and size in bytes of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest(), os.fstat(file.fileno()).st_size


def adopt(cache: Cache, path: Path, sha256: str) -> Path:
    """Move a measured file of the cache's own disk into the blobs, whole or not at all."""
    cache.blobs.mkdir(parents=True, exist_ok=True)
    with path.open("rb") as file:
        os.fsync(file.fileno())
    path.chmod(0o444)
    blob = cache.blobs / sha256
    path.rename(blob)
    _sync(cache.blobs)
    return blob


def set_aside(cache: Cache, path: Path, sha256: str, file: str) -> Path:
    """Keep bytes that failed verification for inspection; return where."""
    cache.aside.mkdir(parents=True, exist_ok=True)
    kept = cache.aside / f"{sha256[:16]}-{file}"
    path.rename(kept)
    return kept


def verify(cache: Cache, sha256: str, file: str) -> Path:
    """Read a blob again and hold it against its digest; return its path.

    Raises VerificationError, and puts the bytes aside, if the disk gives other bytes back.
    """
    path = cache.blobs / sha256
    if not path.exists():
        raise VerificationError(
            f"{file} is not in the cache", f"no blob {sha256}", "run `invoke fetch`"
        )
    found, _ = measure(path)
    if found != sha256:
        kept = set_aside(cache, path, found, file)
        raise VerificationError(
            f"{file} in the cache is damaged",
            f"sha256 expected {sha256}\nsha256 got      {found}\nkept as {kept}",
            "run `invoke fetch`, and check the disk",
        )
    return path


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
