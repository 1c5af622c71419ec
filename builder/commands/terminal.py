"""``invoke lab-console``: connect this terminal to a lab host's shell."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

from builder import names
from builder.console import Console
from builder.errors import UsageError
from builder.host.terminal import raw, relay

LEAVE = b"\x1d"
"""Ctrl-], as telnet(1) has it."""


def enter(host: str, folder: Path, profile: str, console: Console) -> None:
    """Connect this terminal to a host's shell until Ctrl-] or the host's end.

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
        with raw(sys.stdin.fileno()):
            shell.sendall(b"\n")
            relay(shell, leave=LEAVE)
