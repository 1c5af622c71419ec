"""Ctrl-C, SIGTERM and SIGHUP: heard at once, and a second time for good.

The first one ends the run in order, which takes a second or two.  The second one leaves
without another word: children die with this process, a private engine is stopped by its
keeper, and the next run sweeps what lies about.
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
        # Not through the console: this thread may be in the middle of it and hold its lock.
        with contextlib.suppress(OSError):
            os.write(_STDERR, _HEARD)
        raise KeyboardInterrupt


@contextmanager
def interruptible() -> Iterator[None]:
    """Signals raise KeyboardInterrupt in the main thread, once.

    One that is ignored stays so: nohup(1) and shells' background jobs mean it.
    """
    with early.heard(_Hearing()):
        yield


def leave(message: str, status: int) -> NoReturn:
    """Say the last word and end this process, whatever its other threads are doing.

    The interpreter's own way out waits for some threads and stumbles over what others hold.
    """
    with contextlib.suppress(OSError):
        print(message, file=sys.stderr, flush=True)
        sys.stdout.flush()
    os._exit(status)


def interrupted() -> Interrupted:
    """What the user is told at the end."""
    return Interrupted(
        "interrupted",
        "the run was stopped by a signal",
        "run the same command again: it goes on from the last finished stage",
    )
