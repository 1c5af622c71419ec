"""Copies of files that can be changed without a change to the original."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

_MOST = 1 << 30  # bytes a call


def copy_file(origin: Path, target: Path) -> None:
    """Copy a file to ``target``, readable for all and writable for its owner.

    A file at ``target`` is replaced, not written to.

    The copy's mode is 0644, or 0755 if the original's owner may run it, whatever the umask.
    The two share their blocks until one is changed, if the file system supports that
    (copy_file_range(2)).  Raises OSError.
    """
    target.unlink(missing_ok=True)
    with origin.open("rb") as source, target.open("xb") as copy:
        mode = os.fstat(source.fileno()).st_mode
        try:
            while os.copy_file_range(source.fileno(), copy.fileno(), _MOST):
                pass
        except OSError:  # another file system, or one without support: start again
            source.seek(0)
            copy.truncate(0)
            copy.seek(0)
            shutil.copyfileobj(source, copy, 1 << 20)
        os.fchmod(copy.fileno(), 0o755 if mode & stat.S_IXUSR else 0o644)
