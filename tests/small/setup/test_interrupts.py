"""An interrupt at any moment of the start ends with one line and status 130."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.support.setup import checkout
from tests.support.setup.checkout import Checkout

pytestmark = pytest.mark.registry
SHELLS = ("Terminated\ninterrupted\n", "Hangup\ninterrupted\n")
MOMENTS = [n / 100 for n in range(0, 50, 2)]


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    made = checkout.copy(tmp_path_factory.mktemp("interrupts") / "checkout")
    assert made.run("--list").status == 0
    return made


def interrupted(argv: list[str], cwd: Path, seconds: float, number: int) -> tuple[int, str]:
    """Status and standard error of a script whose group gets a signal after that time.

    The time begins when the script's shell listens: before its first line nobody can.
    """
    with subprocess.Popen(
        argv,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=checkout.surroundings({}),
        start_new_session=True,
    ) as running:
        while running.poll() is None and not is_caught(running.pid, number):
            time.sleep(0.001)
        time.sleep(seconds)
        os.killpg(running.pid, number)
        _, said = running.communicate(timeout=30)
    return running.returncode, said


def is_caught(pid: int, number: int) -> bool:
    """Whether a process has a handler for this signal (SigCgt in proc_pid_status(5))."""
    status = Path(f"/proc/{pid}/status").read_text()
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught.split()[1], 16) >> (number - 1) & 1)


def is_told(end: tuple[int, str]) -> bool:
    """Before Python runs, the shell may also name the signal that its own child got."""
    status, said = end
    return end == (0, "") or (status == 130 and said in ("interrupted\n", *SHELLS))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_of_bootstrap(ready: Checkout, number: signal.Signals) -> None:
    ends = {
        moment: interrupted([str(ready.script), "--list"], ready.root, moment, number)
        for moment in MOMENTS
    }
    assert (130, "interrupted\n") in ends.values()
    untold = {moment: end for moment, end in ends.items() if not is_told(end)}
    # Within a millisecond of its start, env(1) has not blocked the signal yet, and just ends.
    silent = [moment for moment, end in untold.items() if end == (-number, "")]
    assert len(silent) <= 1 and len(untold) == len(silent), untold
