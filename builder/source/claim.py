"""Keeping two runs apart: one works, the other waits and says for whom."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from builder.errors import Interrupted

if TYPE_CHECKING:
    from builder.console import Console

_POLL = 0.1  # seconds


@contextmanager
def claim(
    folder: Path, key: str, what: str, *, console: Console, stop: threading.Event
) -> Iterator[None]:
    """Hold the lock ``key`` in ``folder`` while doing ``what``.

    The kernel drops it if this process dies.  Raises Interrupted if ``stop`` is set meanwhile.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / f"{key}.lock", thread_local=False)
    holder = folder / f"{key}.holder"
    try:
        lock.acquire(timeout=0)
    except Timeout:
        who = _who(holder)
        if who != _me():  # another thread of this run needs no word
            console.say(f"{what}: waiting for {who}, which is at it")
        _wait(lock, what, stop)
    try:
        holder.write_text(_me())
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


def _wait(lock: FileLock, what: str, stop: threading.Event) -> None:
    while True:
        check(stop, what)
        try:
            lock.acquire(timeout=_POLL)
        except Timeout:
            continue
        return


def check(stop: threading.Event, what: str) -> None:
    """Raise Interrupted if ``stop`` is set."""
    if stop.is_set():
        raise Interrupted(f"{what} was stopped", "", "run it again: it goes on where it was")


def _me() -> str:
    return f"process {os.getpid()}"


def _who(holder: Path) -> str:
    try:
        return holder.read_text() or "another run"
    except FileNotFoundError:
        return "another run"
