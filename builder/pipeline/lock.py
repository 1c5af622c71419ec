"""Locks between runs: one waits, and says for whom."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock

from builder.console import Console


def _holder(note: Path) -> str:
    try:
        return note.read_text().strip()
    except OSError:
        return "another run"


@contextmanager
def hold(folder: Path, name: str, console: Console) -> Iterator[None]:
    """Hold the lock ``name``; if another process has it, say which and wait.

    The kernel gives a dead process's lock back, so there is nothing to clean up.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(folder / f"{name}.lock")
    note = folder / f"{name}.holder"
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        console.say(f"waiting for {_holder(note)}, which works on {name}")
        lock.acquire()
    try:
        note.write_text(f"process {os.getpid()} ({' '.join(sys.argv)[:120]})\n")
        yield
        note.unlink(missing_ok=True)
    finally:
        lock.release()
