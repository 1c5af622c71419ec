"""``invoke lab-console``: this terminal becomes that of a lab host's shell."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import sys
import termios
import tty
from collections.abc import Iterator
from pathlib import Path

from builder import names
from builder.console import Console
from builder.errors import UsageError

LEAVE = b"\x1d"
"""Ctrl-], as telnet(1) has it."""


@contextlib.contextmanager
def _raw() -> Iterator[None]:
    """Every key goes to the host; a standard input that is no terminal is left as it is."""
    if not sys.stdin.isatty():
        yield
        return
    before = termios.tcgetattr(sys.stdin)
    tty.setraw(sys.stdin)
    try:
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


def enter(host: str, folder: Path, profile: str, console: Console) -> None:
    """Join this terminal and a host's shell until Ctrl-] or the host's end.

    Raises UsageError if no such host runs.
    """
    known = sorted(one.name for one in folder.iterdir())
    path = folder / names.require("lab host", host, f"hosts: {', '.join(known) or 'none runs'}")
    with socket.socket(socket.AF_UNIX) as shell:
        try:
            shell.connect(str(path))
        except OSError as error:
            raise UsageError(
                f"no lab host {host!r} of profile {profile} runs{names.nearest(host, known)}",
                f"{error.strerror}; hosts that were: {', '.join(known) or 'none'}",
                f"start a lab: invoke lab --keep --scenario fullnat --profile {profile}",
            ) from error
        console.say(f"{host}: Ctrl-] leaves; the shell stays where it is")
        with _raw():
            shell.sendall(b"\n")
            _join(shell)


def _join(shell: socket.socket) -> None:
    keyboard, screen = sys.stdin.fileno(), sys.stdout.fileno()
    sources = [shell.fileno(), keyboard]
    while True:
        ready, _, _ = select.select(sources, [], [])
        if shell.fileno() in ready:
            data = shell.recv(65536)
            if not data:
                return
            os.write(screen, data)
        if keyboard in ready:
            typed = os.read(keyboard, 4096)
            before, leave, _ = typed.partition(LEAVE)
            shell.sendall(before)
            if leave:
                return
            if not typed:
                sources.remove(keyboard)
