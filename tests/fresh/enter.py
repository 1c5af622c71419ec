"""From the keeper into the machine: its control groups, then its namespaces."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from pathlib import Path

from tests.fresh import cgroups
from tests.fresh.plan import load

PR_SET_PDEATHSIG = 1  # prctl(2)
# The network stays this machine's: its package clients' configuration is meant for it.
NAMESPACES = ("--mount", "--pid", "--ipc", "--uts", "--cgroup")


def main(plan: Path, report: str, parent: int) -> None:
    """Become unshare(1), which dies with the keeper and takes the namespaces along."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it had died before we asked
        sys.exit(1)
    cgroups.join(load(plan).name)
    inside = [sys.executable, "-m", "tests.fresh.inside", str(plan), report]
    argv = ["unshare", *NAMESPACES, "--mount-proc", "--fork", "--kill-child", *inside]
    os.execvp(argv[0], argv)  # noqa: S606 - there is no shell to want


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
