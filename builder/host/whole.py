"""Writing files so that readers see the old or the new one, never a part."""

from __future__ import annotations

import os
from pathlib import Path


def write_whole(path: Path, data: bytes, *, mode: int | None = None, alone: bool = False) -> None:
    """Let ``path`` have these bytes, on disk when this returns; its folder is made if need be.

    ``mode``: the file's permissions, those of a new file if None.  ``alone``: a lock keeps other
    writers out; what a kill leaves has the name of ``aside`` then.  Raises OSError; the file is
    as it was.
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
    """Where a file is written before it takes the place of ``path``, if nobody else writes it."""
    return path.with_name(f".{path.name}.new")
