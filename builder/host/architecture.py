"""The target architecture: directors run on x86-64.

Nothing is cross-compiled, so the host must be x86-64, too.
"""

from __future__ import annotations

import os

from builder.errors import EnvironmentFailure
from builder.host import process

MACHINE = "x86_64"
DEBIAN = "amd64"


def require(machine: str = "", debian: str = "") -> None:
    """Raise EnvironmentFailure if this host's programs are for another architecture.

    ``machine``: its name in uname(2), ``debian``: its name in apt; the host's own if empty.
    """
    machine = machine or os.uname().machine
    debian = debian or _ask_apt()
    if machine != MACHINE or debian not in {"", DEBIAN}:
        raise EnvironmentFailure(
            "this host has other processors than directors",
            f"the kernel says {machine}, apt says {debian or 'nothing'}; "
            f"{MACHINE} and {DEBIAN} are needed",
            f"build on an {MACHINE} host with Debian's {DEBIAN}",
        )


def _ask_apt() -> str:
    """Debian's name of the architecture of apt's packages; empty without apt."""
    try:
        asked = process.run(["apt-config", "shell", "FOUND", "APT::Architecture"])
    except EnvironmentFailure:
        return ""
    return asked.text.strip().removeprefix("FOUND=").strip("'")
