"""Temporary folders in the system's place for them; those of killed processes are removed later.

The owner holds flock(2) on the folder itself, so that no lock file is needed.  Making the next
folder removes those of this user that nobody holds.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from builder.errors import EnvironmentFailure
from builder.host import flock, removal
from builder.host.paths import APPLICATION

_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@contextlib.contextmanager
def folder(purpose: str) -> Iterator[Path]:
    """A new folder that is this process's own; it is removed when the block ends.

    ``TMPDIR`` sets its place.  Raises OSError if it cannot be made, EnvironmentFailure if it
    cannot be removed.
    """
    home = Path(tempfile.gettempdir())
    sweep(home)
    made, lock = _make(home, purpose)
    try:
        yield made
    finally:
        try:
            removal.remove(made, home)
        finally:
            os.close(lock)


def sweep(home: Path) -> None:
    """Remove this user's folders in ``home`` that nobody holds: their processes were killed.

    Folders that cannot be removed are skipped.
    """
    for name in (_name(""), f".{_name('')}"):  # the second: a removal that was killed
        for found in home.glob(f"{name}*"):
            with contextlib.suppress(OSError, EnvironmentFailure), _held(found) as is_ours:
                if is_ours and found.lstat().st_uid == os.geteuid():
                    removal.remove(found, home)


def _name(purpose: str) -> str:
    return f"{APPLICATION}-{os.geteuid()}-tmp-{purpose}"


def _make(home: Path, purpose: str) -> tuple[Path, int]:
    """A new folder and its lock, open."""
    while True:
        made = Path(tempfile.mkdtemp(dir=home, prefix=f"{_name(purpose)}-"))
        with contextlib.suppress(FileNotFoundError):  # a sweep came in between
            return made, _lock(made)


def _lock(made: Path) -> int:
    """The folder, open and held.  Raises FileNotFoundError if a sweep has removed it."""
    lock = os.open(made, _OPEN)
    try:
        flock.take(lock)
        if os.path.samestat(os.fstat(lock), made.stat()):
            return lock
        raise FileNotFoundError(made)
    except BaseException:
        os.close(lock)
        raise


@contextlib.contextmanager
def _held(found: Path) -> Iterator[bool]:
    """Hold a folder's lock for the block if nobody else does; yields whether it is held."""
    lock = os.open(found, _OPEN)
    try:
        yield flock.try_take(lock)
    finally:
        os.close(lock)
