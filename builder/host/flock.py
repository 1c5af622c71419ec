"""Kernel locks, flock(2): the kernel releases those of a dead process.

Needs only Python itself, because the set-up uses it, too, before there are any packages.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def take(file: int, *, shared: bool = False) -> None:
    """Lock an open file; wait while others hold it.  A second call changes the kind of lock."""
    fcntl.flock(file, _kind(shared=shared))


def try_take(file: int, *, shared: bool = False) -> bool:
    """Lock an open file if it is free; returns whether it was."""
    try:
        fcntl.flock(file, _kind(shared=shared) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def held(path: Path, *, shared: bool = False) -> Iterator[int]:
    """Hold the lock file ``path`` for the block, created if missing; yields its descriptor."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        take(file, shared=shared)
        yield file
    finally:
        os.close(file)


def _kind(*, shared: bool) -> int:
    return fcntl.LOCK_SH if shared else fcntl.LOCK_EX
