"""A build that takes its time, so that something can happen to it."""

from __future__ import annotations

import subprocess
import time

from tests.support.mishaps.waiting import Listener
from tests.world import SOURCE, SPEC, World

BUILD = ("build", "--profile", "small", "--only", "tool")
COMPILING = 3.0  # seconds until the container has begun to compile
_SLOW = SPEC.replace("make %", "sleep 60; make %")


def write_own_source(small: World) -> None:
    """Make this test's source its own, so that no other test's output fits."""
    small.write_source({**SOURCE, "ID": str(time.time_ns())})


def start_build(small: World) -> tuple[subprocess.Popen[str], Listener]:
    """Start a build that is in mid compilation when this returns; write SPEC to end that."""
    write_own_source(small)
    small.write_spec(_SLOW)
    process = small.start(*BUILD)
    listener = Listener(process)
    listener.wait_for("build:tool: started")
    time.sleep(COMPILING)
    return process, listener
