"""Ctrl-C, SIGTERM and SIGHUP before a command listens for them, and after.

Python's own start-up and imports take some tenths of a second, in which an interrupt would end
in a traceback.  Only the lightest modules are used here: this is the first thing that runs.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_INTERRUPTED = 130
_STDERR = 2
_FROM = "LVS_BUILDER_FROM"


def is_run_by_invoke() -> bool:
    """Whether Invoke's own program runs: it has parsed its options and loads tasks."""
    main = sys.modules.get("invoke.main")
    return main is not None and hasattr(main.program, "core")


def listen() -> None:
    """From now on a signal ends this process with one line and status 130.

    An ignored signal stays ignored, for nohup(1) and shells' background jobs.  Signals that
    ``become`` or bootstrap's shell part held back are handled now.
    """
    for number in SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _leave)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    # The interpreter removes handlers at its end: a signal after that must not change the status.
    atexit.register(signal.pthread_sigmask, signal.SIG_BLOCK, SIGNALS)


@contextmanager
def heard(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Within the block these signals go to ``handler``; an ignored signal stays ignored."""
    wanted = [number for number in SIGNALS if signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, handler) for number in wanted}
    try:
        yield
    finally:
        for number, handler_before in before.items():
            signal.signal(number, handler_before)


def go_back() -> None:
    """Return to the folder that bootstrap was called from: paths and hints are relative to it.

    bootstrap leaves it to find its modules.  If it is gone or inaccessible, nothing is changed.
    """
    before = os.environ.pop(_FROM, "")
    if before:
        with contextlib.suppress(OSError):
            os.chdir(before)


def leave_word(root: str) -> None:
    """Go to the modules' folder; the program that replaces this one goes back from there."""
    try:
        os.environ[_FROM] = str(Path.cwd())
    except OSError:  # it has been removed
        os.environ.pop(_FROM, None)
    os.chdir(root)


def become(argv: list[str]) -> NoReturn:
    """Run another program in this process; signals wait until that program listens."""
    sys.stdout.flush()
    sys.stderr.flush()
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    os.execv(argv[0], argv)  # noqa: S606 - a list, as everywhere


def _leave(number: int, frame: FrameType | None) -> None:
    # Not through a stream: this thread may hold its lock already.
    try:
        os.write(_STDERR, b"interrupted\n")
    finally:
        os._exit(_INTERRUPTED)
