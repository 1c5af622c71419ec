"""Write files so that readers see the old or the new content, never a part."""

from __future__ import annotations

import os
from pathlib import Path


def write_whole(path: Path, data: bytes, *, mode: int | None = None, alone: bool = False) -> None:
    """Write these bytes to ``path``, synced to disk; its folder is made if necessary.

    ``mode``: the file's permissions, those of a new file if None.  ``alone``: a lock keeps other
    writers out; after a kill, the remaining file has the name of ``aside``.  Raises OSError; the
    file is then unchanged.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    new = aside(path) if alone else path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with new.open("wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        if mode is not None:
            new.chmod(mode)
        new.replace(path)
    except OSError:
        new.unlink(missing_ok=True)
        raise


def aside(path: Path) -> Path:
    """The temporary file that replaces ``path``, if nobody else writes it."""
    return path.with_name(f".{path.name}.new")
