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
    """Status and standard error of a program whose group gets a signal after that time."""
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
        time.sleep(seconds)
        os.killpg(running.pid, number)
        _, said = running.communicate(timeout=30)
    return running.returncode, said


def is_told(end: tuple[int, str]) -> bool:
    """Before Python runs, the shell may also name the signal that its own child got."""
    status, said = end
    return end == (0, "") or (status == 130 and said in ("interrupted\n", *SHELLS))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_of_bootstrap(ready: Checkout, number: signal.Signals) -> None:
    ends = {
        # The first moment is that of the shell's own start.
        moment: interrupted([str(ready.script), "--list"], ready.root, moment + 0.01, number)
        for moment in MOMENTS
    }
    assert (130, "interrupted\n") in ends.values()
    assert not {moment: end for moment, end in ends.items() if not is_told(end)}
