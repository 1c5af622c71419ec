"""Connect the user's terminal to a socket."""

from __future__ import annotations

import os
import select
import socket
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager

_CHUNK = 65536


@contextmanager
def raw(handle: int) -> Iterator[None]:
    """Pass every key on unchanged (also Ctrl-C); a file that is not a terminal is left as it is."""
    if not os.isatty(handle):
        yield
        return
    before = termios.tcgetattr(handle)
    tty.setraw(handle)
    try:
        yield
    finally:
        termios.tcsetattr(handle, termios.TCSADRAIN, before)


def relay(line: socket.socket, *, leave: bytes = b"") -> None:
    """Pass on keys and the answers, until the other end closes or ``leave`` is typed."""
    keyboard, screen = sys.stdin.fileno(), sys.stdout.fileno()
    sources = [line.fileno(), keyboard]
    while True:
        ready, _, _ = select.select(sources, [], [])
        if line.fileno() in ready:
            said = line.recv(_CHUNK)
            if not said:
                return
            os.write(screen, said)
        if keyboard in ready:
            typed = os.read(keyboard, _CHUNK)
            before, left, _ = typed.partition(leave) if leave else (typed, b"", b"")
            line.sendall(before)
            if left:
                return
            if not typed:
                sources.remove(keyboard)
