"""Locks between runs, and between the threads of a run; the holder is named during a wait.

They use flock(2): the kernel releases a dead process's lock, so there is nothing to clean up.
Many can hold a lock shared, or one holds it exclusively.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from builder.console import Console
from builder.errors import Interrupted
from builder.host import flock

_POLL = 0.1  # seconds
_SHOWN = 120  # characters of a command line


@contextmanager
def hold(
    path: Path,
    what: str,
    console: Console,
    *,
    shared: bool = False,
    stop: threading.Event | None = None,
) -> Iterator[None]:
    """Hold the lock file ``path``, which protects ``what``; wait while others hold it.

    Another process that holds it is named; another thread of this process is not.  Raises
    Interrupted if ``stop`` is set meanwhile.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = _take(path, shared=shared)
    if lock is None:
        who = holders(path)
        lock = _take(path, shared=shared)
    if lock is None:
        others = [_told(pid) for pid in who if pid != os.getpid()]
        if others or not who:  # another thread of this process is not reported
            console.say(f"{what}: waiting for {' and '.join(others) or 'another run'}")
        lock = _wait(path, what, shared=shared, stop=stop)
    try:
        yield
    finally:
        os.close(lock)


@contextmanager
def hold_if_free(path: Path, *, shared: bool = False) -> Iterator[bool]:
    """Hold the lock for the block if it is free; yields whether it is held."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = _take(path, shared=shared)
    try:
        yield lock is not None
    finally:
        if lock is not None:
            os.close(lock)


def check(stop: threading.Event | None, what: str) -> None:
    """Raise Interrupted if ``stop`` is set."""
    if stop is not None and stop.is_set():
        raise Interrupted(f"{what} was stopped", "", "run it again: it goes on where it was")


def _wait(path: Path, what: str, *, shared: bool, stop: threading.Event | None) -> int:
    while True:
        check(stop, what)
        lock = _take(path, shared=shared)
        if lock is not None:
            return lock
        time.sleep(_POLL)


def _take(path: Path, *, shared: bool) -> int | None:
    """The locked file, open; None if others have it."""
    while True:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            is_ours = flock.try_take(lock, shared=shared)
        except BaseException:
            os.close(lock)
            raise
        if not is_ours:
            os.close(lock)
            return None
        # The last holder may have removed the file: then this lock no longer counts.
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(lock), path.stat()):
                return lock
        os.close(lock)


def holders(path: Path) -> list[int]:
    """Ids of the processes that hold the lock, as far as this user may see them.

    Only a holder's descriptor has lines ``lock:``, a waiter's has not (proc(5), fdinfo).
    """
    wanted = str(path.resolve())
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if any(_locks(process, fd, wanted) for fd in (process / "fd").iterdir()):
                found.append(int(process.name))
    return sorted(found)


def _locks(process: Path, fd: Path, wanted: str) -> bool:
    with contextlib.suppress(OSError):
        if str(fd.readlink()) == wanted:
            return "\nlock:" in (process / "fdinfo" / fd.name).read_text(encoding="utf-8")
    return False


def _told(pid: int) -> str:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return f"process {pid}"
    command = words[:-1]
    for number, word in enumerate(command):
        if word == "invoke" or word.endswith("/invoke"):
            command = ["invoke", *command[number + 1 :]]
            break
    return f"process {pid} ({shlex.join(command)[:_SHOWN]})"
