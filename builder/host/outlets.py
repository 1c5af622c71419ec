"""Standard input, output and error: their encoding, and their closing by reader or caller."""

from __future__ import annotations

import io
import os
import select
import sys
from typing import TextIO

CLOSED = 141
"""The exit status after the reader has gone: 128 and SIGPIPE, as a shell reports it."""
_OUTLETS = (1, 2)


def reopen() -> None:
    """Make the three streams UTF-8; those that the caller has closed lead nowhere."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:  # the next opened file would get its number
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free: this one
    sys.stdin = _reopened(sys.stdin, 0, "r", "replace")
    sys.stdout = _reopened(sys.stdout, 1, "w", "backslashreplace")
    sys.stderr = _reopened(sys.stderr, 2, "w", "backslashreplace")


def _reopened(stream: TextIO | None, number: int, mode: str, errors: str) -> TextIO:
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(encoding="utf-8", errors=errors)
        return stream
    if stream is not None:
        return stream
    raw = open(number, "rb" if mode == "r" else "wb", buffering=0, closefd=False)  # noqa: SIM115
    return io.TextIOWrapper(raw, encoding="utf-8", errors=errors, write_through=True)


def is_closed(error: BaseException) -> bool:
    """Whether ``error`` means that the reader of standard output or error has gone.

    Other pipes and sockets break, too, so the two themselves are polled (poll(2), POLLERR).
    """
    if not isinstance(error, BrokenPipeError):
        return False
    asked = select.poll()
    for outlet in _OUTLETS:
        asked.register(outlet, 0)
    return any(events & (select.POLLERR | select.POLLHUP) for _, events in asked.poll(0))


def close_quietly() -> None:
    """Discard output that is still to be written; otherwise the interpreter complains."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for outlet in _OUTLETS:
        os.dup2(nowhere, outlet)
    os.close(nowhere)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
