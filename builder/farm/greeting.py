"""The first line that each side of a connection to a worker says, before distcc's own words.

``lvs-worker 2 DIGEST SESSION`` asks for a compiler of the base image with this SHA-256, which does
jobs of this session alone (32 hexadecimal digits of the client's own).  The worker answers
``lvs-worker 2 ready``, ``lvs-worker 2 busy``, or ``lvs-worker 2 other DIGEST`` with the digest of
the image that it has, and ends the connection after the last two.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from builder.digest import Digest
from builder.farm.line import PeerLine
from builder.farm.model import WorkerBusy, WorkerFailed

LONGEST = 128
READY, BUSY, OTHER = "ready", "busy", "other"
_VERSION = "2"
_QUESTION = re.compile(rf"lvs-worker {_VERSION} ([0-9a-f]{{64}}) ([0-9a-f]{{32}})")
_ANSWER = re.compile(rf"lvs-worker {_VERSION} ([a-z]+)(?: ([0-9a-f]{{64}}))?")


@dataclass(frozen=True)
class WorkerQuestion:
    """What a client asks for: a base image, and a compiler of its session."""

    image: Digest
    session: str


def read(line: PeerLine) -> str:
    """The peer's first line, and no byte beyond it.  Raises OSError, and ValueError for no line."""
    said = b""
    while not said.endswith(b"\n"):
        byte = line.read(1)
        if not byte or len(said) > LONGEST:
            raise ValueError("it said no whole line")
        said += byte
    return said[:-1].decode("ascii")


def asked(line: PeerLine) -> WorkerQuestion:
    """What a client asks for.  Raises OSError, and ValueError for other words."""
    found = _QUESTION.fullmatch(read(line))
    if not found:
        raise ValueError("it speaks another version")
    return WorkerQuestion(Digest(found[1]), found[2])


def say(line: PeerLine, *words: str) -> None:
    """Say a line.  Raises OSError."""
    line.write(f"{' '.join(('lvs-worker', _VERSION, *words))}\n".encode("ascii"))


def ask(line: PeerLine, image: Digest, session: str) -> None:
    """Ask a worker for a compiler of ``image``.

    Raises WorkerFailed if it has none, WorkerBusy if it has no slot left, and OSError.
    """
    say(line, image, session)
    try:
        said = read(line)
    except ValueError as error:
        raise WorkerFailed("it is no worker, or does not take jobs from this address") from error
    found = _ANSWER.fullmatch(said)
    if not found:
        raise WorkerFailed("it is no worker of this version")
    if found[1] == BUSY:
        raise WorkerBusy("it works for others")
    if found[1] != READY:
        other = f" ({found[2][:12]}, not {image[:12]})" if found[2] else ""
        raise WorkerFailed(f"it has another base image{other}")
