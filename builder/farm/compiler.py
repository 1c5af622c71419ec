"""distccd in a container of a base image: the compiler that a worker offers.

The container has no network but its own loopback interface, a root file system that nobody can
write to, and an unprivileged user.  It is reached through a Unix socket, and it ends with the
process that has started it, however that ends.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from builder.engine.spec import ContainerSpec, Mount
from builder.errors import BuilderError, EnvironmentFailure
from builder.farm import distcc
from builder.farm.distcc import JobAnswer
from builder.farm.line import PeerLine, to_unix
from builder.farm.model import WorkerFailed
from builder.host import buildlog

SCRIPT = Path(__file__).parent / "container" / "worker.sh"
SOCKET, LIFELINE, LOG = "socket", "lifeline", "distccd.log"
JOB_SECONDS = 120.0
"""That one job may take on a worker."""
_NICENESS = 10
_START_SECONDS = 60.0
_TEMPORARY = "size={}m,mode=1777,nosuid,nodev"
_TEMPORARY_MEGABYTES = 64  # of one job: its source, its object, the assembler's input
_PROCESSES = 16  # of one job, and as many again for the daemon
_POLL = 0.05
_ROOM = "/tmp"  # noqa: S108 - the container has its own

Run = Callable[[ContainerSpec, Path], int]
"""Runs a container to its end; its output goes to the log."""


@dataclass(frozen=True)
class Compiler:
    """A compiler that answers at a Unix socket.  ``log``: what it says about itself.
    ``_failures``: why its container has ended, if it has."""

    socket: Path
    log: Path
    _thread: threading.Thread
    _failures: list[BuilderError]

    @property
    def is_running(self) -> bool:
        """Whether its container runs."""
        return self._thread.is_alive()

    def complaint(self) -> str:
        """Why its container has ended."""
        return str(self._failures[0]) if self._failures else buildlog.cause(self.log)

    def compile(self, job: bytes, seconds: float = JOB_SECONDS) -> JobAnswer:
        """Do a job of distcc.  Raises WorkerFailed."""
        try:
            with to_unix(self.socket, seconds) as connection:
                line = PeerLine(connection, seconds)
                line.write(job)
                return distcc.read_answer(line)
        except (OSError, distcc.BrokenTalk) as error:
            raise WorkerFailed(str(error)) from error


def container_spec(image: str, folder: Path, script: Path, jobs: int) -> ContainerSpec:
    """The container of a compiler for ``jobs`` jobs at a time."""
    return ContainerSpec(
        image=image,
        argv=("/bin/sh", "/usr/local/bin/worker", str(jobs), f"{JOB_SECONDS:.0f}", str(_NICENESS)),
        mounts=(Mount(folder, "/worker", writable=True), Mount(script, "/usr/local/bin/worker")),
        env=(("PATH", "/usr/local/bin:/usr/bin:/bin"), ("LC_ALL", "C.UTF-8"), ("HOME", _ROOM)),
        tmpfs=((_ROOM, _TEMPORARY.format(_TEMPORARY_MEGABYTES * (jobs + 1))),),
        pids=_PROCESSES * (jobs + 1),
        read_only=True,
    )


@contextmanager
def running(image: str, folder: Path, jobs: int, run: Run) -> Iterator[Compiler]:
    """A compiler of ``image`` until the block ends; ``folder``: a new one for its files.

    Raises EnvironmentFailure if it does not start.
    """
    shared = folder / "shared"
    shared.mkdir(parents=True)
    os.mkfifo(shared / LIFELINE)
    (shared / LIFELINE).chmod(0o666)
    script = folder / SCRIPT.name
    script.write_bytes(SCRIPT.read_bytes())
    spec = container_spec(image, shared, script, jobs)
    lifeline = os.open(shared / LIFELINE, os.O_RDWR)
    failures: list[BuilderError] = []

    def work() -> None:
        try:
            run(spec, folder / LOG)
        except BuilderError as error:
            failures.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        made = Compiler(shared / SOCKET, folder / LOG, thread, failures)
        _wait(made)
        yield made
    finally:
        os.close(lifeline)
        thread.join()


def _wait(made: Compiler) -> None:
    """Until the compiler's socket is there."""
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and made.is_running:
        try:
            with to_unix(made.socket, 1.0):
                return
        except OSError:
            time.sleep(_POLL)
    raise EnvironmentFailure(
        "the compiler for other machines does not start",
        made.complaint(),
        "see the log; `invoke doctor` checks the container engine",
        log=made.log,
    )
