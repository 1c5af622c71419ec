"""The first line that each side of a connection to a worker says, before distcc's own words.

``lvs-worker 1 DIGEST`` asks for a compiler of the base image with this SHA-256.  The worker answers
``lvs-worker 1 ready``, ``lvs-worker 1 busy``, or ``lvs-worker 1 other DIGEST`` with the digest of
the image that it has, and ends the connection after the last two.
"""

from __future__ import annotations

import re

from builder.digest import Digest
from builder.farm.line import PeerLine
from builder.farm.model import WorkerBusy, WorkerFailed

LONGEST = 128
READY, BUSY, OTHER = "ready", "busy", "other"
_WORDS = re.compile(r"lvs-worker ([0-9]{1,4}) ([a-z]+|[0-9a-f]{64})(?: ([0-9a-f]{64}))?")
_VERSION = "1"


def read(line: PeerLine) -> str:
    """The peer's first line, and no byte beyond it.  Raises OSError, and ValueError for no line."""
    said = b""
    while not said.endswith(b"\n"):
        byte = line.read(1)
        if not byte or len(said) > LONGEST:
            raise ValueError("it said no whole line")
        said += byte
    return said[:-1].decode("ascii")


def asked(line: PeerLine) -> Digest:
    """The digest that a client asks for.  Raises OSError, and ValueError for other words."""
    found = _WORDS.fullmatch(read(line))
    if not found or found[1] != _VERSION or found[3]:
        raise ValueError("it speaks another version")
    return Digest(found[2])


def say(line: PeerLine, *words: str) -> None:
    """Say a line.  Raises OSError."""
    line.write(f"{' '.join(('lvs-worker', _VERSION, *words))}\n".encode("ascii"))


def ask(line: PeerLine, image: Digest) -> None:
    """Ask a worker for a compiler of ``image``.

    Raises WorkerFailed if it has none, WorkerBusy if it has no slot left, and OSError.
    """
    say(line, image)
    try:
        said = read(line)
    except ValueError as error:
        raise WorkerFailed("it is no worker, or does not take jobs from this address") from error
    found = _WORDS.fullmatch(said)
    if not found or found[1] != _VERSION:
        raise WorkerFailed("it is no worker of this version")
    if found[2] == BUSY:
        raise WorkerBusy("it works for others")
    if found[2] != READY:
        other = f" ({found[3][:12]}, not {image[:12]})" if found[3] else ""
        raise WorkerFailed(f"it has another base image{other}")
