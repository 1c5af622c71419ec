"""Ctrl-C, SIGTERM and SIGHUP: the first one stops the run, the second one exits at once.

The first signal ends the run in order, which takes a second or two.  The second one exits
without a message: children die with this process, the keeper stops a private engine, and the
next run removes leftovers.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from builder import early
from builder.errors import Interrupted

_HEARD = b"\ninterrupted: stopping (press Ctrl-C again to exit at once)\n"
_STDERR = 2


class _Hearing:
    """The handler of one command's signals."""

    def __init__(self) -> None:
        self._heard = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if self._heard:
            os._exit(Interrupted.exit_code)
        self._heard = True
        # Not through the console: this thread may hold its lock already.
        with contextlib.suppress(OSError):
            os.write(_STDERR, _HEARD)
        raise KeyboardInterrupt


@contextmanager
def interruptible() -> Iterator[None]:
    """Signals raise KeyboardInterrupt in the main thread, once.

    An ignored signal stays ignored, for nohup(1) and shells' background jobs.
    """
    with early.heard(_Hearing()):
        yield


def leave(message: str, status: int) -> NoReturn:
    """Print a last message and end this process, whatever its other threads are doing.

    A normal exit of the interpreter waits for some threads, and fails on what others hold.
    """
    with contextlib.suppress(OSError):
        print(message, file=sys.stderr, flush=True)
        sys.stdout.flush()
    os._exit(status)


def interrupted() -> Interrupted:
    """The error that the user sees at the end."""
    return Interrupted(
        "interrupted",
        "the run was stopped by a signal",
        "run the same command again: it goes on from the last finished stage",
    )
