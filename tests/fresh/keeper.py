"""Outlives the starter of a machine, and leaves nothing of it.

It ends the machine when the starter's end of a pipe closes, whatever that died of.  Should
the keeper itself be killed, the kernel ends the machine, and the next start removes the folder.
"""

from __future__ import annotations

import ctypes
import os
import select
import subprocess
import sys
from pathlib import Path

from tests.fresh import cgroups
from tests.fresh.plan import load

PR_SET_CHILD_SUBREAPER = 36  # prctl(2)


def main(plan: Path, lifeline: int, report: int) -> int:
    """Run the machine of ``plan``; 0 if it ended by itself and nothing is left."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
    loaded = load(plan)
    try:
        cgroups.make(loaded.name)
        words = [str(plan), str(report), str(os.getpid())]
        argv = [sys.executable, "-m", "tests.fresh.enter", *words]
        with subprocess.Popen(argv, stdin=subprocess.DEVNULL, pass_fds=[report]) as machine:
            os.close(report)
            _wait(machine, lifeline)
        status = machine.returncode
    finally:
        left = clean(Path(loaded.folder), loaded.name)
    for line in left:
        print(f"left behind: {line}", file=sys.stderr)
    return status or len(left)


def _wait(machine: subprocess.Popen[bytes], lifeline: int) -> None:
    """Until the machine has ended, or the starter: then the machine is ended."""
    handle = os.pidfd_open(machine.pid)
    ready, _, _ = select.select([handle, lifeline], [], [])
    if handle not in ready:
        machine.kill()
    machine.wait()
    # Process 1 of the namespaces is ours to wait for now: it goes after all others in them.
    while True:
        try:
            os.wait()
        except ChildProcessError:
            return


def clean(folder: Path, name: str) -> list[str]:
    """Remove what a machine that has ended left on the disk; returns what would not go."""
    left = cgroups.remove(name)
    mounted = [
        line.split()[4]
        for line in Path("/proc/self/mountinfo").read_text().splitlines()
        if line.split()[4].startswith(f"{folder}/")
    ]
    if mounted:  # never remove through a mount
        return left + mounted
    subprocess.run(["rm", "--recursive", "--force", "--one-file-system", folder], check=False)
    return [*left, str(folder)] if folder.exists() else left


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
