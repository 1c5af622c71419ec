"""One job with one worker, over the network."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from builder.digest import Digest
from builder.farm import distcc, greeting
from builder.farm.distcc import JobAnswer
from builder.farm.line import PeerLine, keep_alive
from builder.farm.model import WorkerAddress, WorkerFailed

_NOBODY = "0" * 32  # the session of who only asks


@dataclass(frozen=True)
class WorkerPatience:
    """Seconds: until a worker accepts a connection and greets, and until it has done a job."""

    greet: float = 5.0
    job: float = 60.0


def probe(worker: WorkerAddress, image: Digest, patience: WorkerPatience) -> None:
    """Find out whether a worker takes jobs for a base image.  Raises WorkerFailed if not."""
    with _connected(worker, patience) as line:
        greeting.ask(line, image, _NOBODY)


def compile_there(
    worker: WorkerAddress, image: Digest, session: str, job: bytes, patience: WorkerPatience
) -> JobAnswer:
    """Let a worker do a job.  Raises WorkerFailed, and WorkerBusy if it has no slot left."""
    with _connected(worker, patience) as line:
        greeting.ask(line, image, session)
        line.allow(patience.job)
        line.write(job)
        try:
            return distcc.read_answer(line)
        except distcc.BrokenTalk as error:
            raise WorkerFailed(f"its answer is none of distccd's: {error}") from error


@contextmanager
def _connected(worker: WorkerAddress, patience: WorkerPatience) -> Iterator[PeerLine]:
    try:
        with socket.create_connection((worker.host, worker.port), patience.greet) as connection:
            keep_alive(connection)
            yield PeerLine(connection, patience.greet)
    except TimeoutError as error:
        raise WorkerFailed("it does not answer in time") from error
    except (OSError, UnicodeError) as error:
        words = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise WorkerFailed(words) from error
