"""One budget of jobs for everything that computes at the same time.

The budget is a pool of tokens in a named pipe that every container's ``make`` opens as
its jobserver (GNU make manual, "POSIX Jobserver Interaction").  Each make may run one
job without a token, so a stage takes a token for that one before it starts and puts it
back at its end: never more than ``jobs`` compilers run, however many stages do.  Workers on other
machines add their own jobs.
"""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from builder.errors import Interrupted

TOKEN = b"+"
PIPE = "tokens"
POLL_SECONDS = 0.2


class Budget:
    """``jobs`` tokens in a named pipe in ``folder``, which containers mount."""

    def __init__(self, folder: Path, jobs: int) -> None:
        self.folder = folder
        self.jobs = jobs
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)
        pipe = folder / PIPE
        pipe.unlink(missing_ok=True)
        os.mkfifo(pipe)
        pipe.chmod(0o666)
        self._handle = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
        os.write(self._handle, TOKEN * jobs)

    def grow(self, jobs: int) -> None:
        """Add tokens for jobs that other machines do."""
        os.write(self._handle, TOKEN * jobs)

    def close(self) -> None:
        """Give up the pipe; makes that still have it open keep it."""
        os.close(self._handle)

    @contextmanager
    def slot(self, stop: threading.Event) -> Iterator[None]:
        """Hold one token; waits for one.  Raises Interrupted when ``stop`` is set."""
        self._take(stop)
        try:
            yield
        finally:
            os.write(self._handle, TOKEN)

    def _take(self, stop: threading.Event) -> None:
        while not stop.is_set():
            readable, _, _ = select.select([self._handle], [], [], POLL_SECONDS)
            if readable:
                try:
                    if os.read(self._handle, 1):
                        return
                except BlockingIOError:
                    continue  # a make was quicker
        raise Interrupted("stopped while waiting for a free processor")
