"""distccd in a container of a base image: the compiler that a worker offers.

The container has no network but its own loopback interface, no file system that it can write to
but ``/tmp`` in memory, and an unprivileged user.  Its slots connect to a Unix socket of the host
(``slots``).  It ends with the process that has started it, however that ends.

Whoever has a job done can run code in it, and leave a process there: so it is for one client's
session, and nobody else has jobs done by it.
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
from builder.farm.slots import CompilerSlots
from builder.host import buildlog

SCRIPT = Path(__file__).parent / "container" / "worker.sh"
LIFELINE, LOG = "lifeline", "distccd.log"
JOB_SECONDS = 120.0
"""That one job may take on a worker."""
_NICENESS = 10
_START_SECONDS = 60.0
_TEMPORARY = "size={}m,mode=1777,nosuid,nodev"
_TEMPORARY_MEGABYTES = 64  # of one job: its source, its object, the assembler's input
_MEMORY = 1 << 30  # bytes of one job, /tmp included
_PROCESSES = 16  # of one job, and as many again for the rest
_LOG = 1 << 20  # bytes of all that a compiler says
_POLL = 0.2
_ROOM = "/tmp"  # noqa: S108 - the container has its own

Run = Callable[[ContainerSpec, Path], int]
"""Runs a container to its end; its output goes to the log."""


@dataclass(frozen=True)
class Compiler:
    """A compiler.  ``log``: what it says about itself.  ``_failures``: why its container has ended,
    if it has."""

    slots: CompilerSlots
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


def container_spec(image: str, folder: Path, script: Path, jobs: int) -> ContainerSpec:
    """The container of a compiler for ``jobs`` jobs at a time."""
    return ContainerSpec(
        image=image,
        argv=("/bin/sh", "/usr/local/bin/worker", str(jobs), f"{JOB_SECONDS:.0f}", str(_NICENESS)),
        mounts=(Mount(folder, "/worker"), Mount(script, "/usr/local/bin/worker")),
        env=(("PATH", "/usr/local/bin:/usr/bin:/bin"), ("LC_ALL", "C.UTF-8"), ("HOME", _ROOM)),
        tmpfs=((_ROOM, _TEMPORARY.format(_TEMPORARY_MEGABYTES * (jobs + 1))),),
        memory=_MEMORY * jobs,
        pids=_PROCESSES * (jobs + 1),
        read_only=True,
        log_bytes=_LOG,
    )


@contextmanager
def running(image: str, folder: Path, jobs: int, run: Run) -> Iterator[Compiler]:
    """A compiler of ``image`` until the block ends; ``folder``: a new one for its files.

    Raises EnvironmentFailure if it does not start.
    """
    shared = folder / "shared"
    shared.mkdir(parents=True)
    os.mkfifo(shared / LIFELINE)
    (shared / LIFELINE).chmod(0o644)
    slots = CompilerSlots(shared, jobs)
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
        made = Compiler(slots, folder / LOG, thread, failures)
        _wait(made)
        yield made
    finally:
        slots.close()
        os.close(lifeline)
        thread.join()


def _wait(made: Compiler) -> None:
    """Until the compiler's first slot has come."""
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and made.is_running:
        if made.slots.has_come(_POLL):
            return
    raise EnvironmentFailure(
        "the compiler for other machines does not start",
        made.complaint(),
        "see the log; `invoke doctor` checks the container engine",
        log=made.log,
    )
