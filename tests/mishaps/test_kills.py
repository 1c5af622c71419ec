"""A kill at any moment costs at most the running stage, and nothing is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

from tests.world import SOURCE, SPEC, World

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]
BUILD = ("build", "--profile", "small", "--only", "tool")
SLOW = SPEC.replace("make %", "sleep 20; make %")


def wait_for(process: subprocess.Popen[str], words: str, seconds: float = 600) -> str:
    """Read the process's messages until one has ``words``."""
    assert process.stderr is not None
    seen = ""
    deadline = time.monotonic() + seconds
    for line in process.stderr:
        seen += line
        if words in line:
            return seen
        if time.monotonic() > deadline:
            break
    pytest.fail(f"{words!r} was not said:\n{seen}")


def drain(process: subprocess.Popen[str]) -> None:
    """Read on, so that the process does not stop at a full pipe."""
    threading.Thread(target=process.communicate, daemon=True).start()


def unique(small: World) -> None:
    """Make this test's source its own, so that no other test's output fits."""
    small.write_source({**SOURCE, "ID": str(time.time_ns())})


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_build_ends_soon_and_leaves_nothing(
    small: World, number: signal.Signals
) -> None:
    unique(small)
    small.write_spec(SLOW)
    process = small.start(*BUILD)
    wait_for(process, "build:tool: started")
    time.sleep(3)
    process.send_signal(number)
    begun = time.monotonic()
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert time.monotonic() - begun < 15
    assert "it goes on from the last finished stage" in errors
    assert "Traceback" not in errors
    small.write_spec(SPEC)
    again = small.run(*BUILD)
    assert again.status == 0, again.errors
    assert "prep:tool: started" not in again.errors
    assert small.leavings() == []


@pytest.mark.parametrize("stage", ["fetch:tool", "unpack:tool", "prep:tool", "build:tool"])
def test_a_killed_run_is_gone_on_with(small: World, stage: str) -> None:
    unique(small)
    process = small.start(*BUILD)
    wait_for(process, f"{stage}: started")
    process.kill()
    process.communicate(timeout=30)
    again = small.run(*BUILD)
    assert again.status == 0, again.errors
    assert small.leavings() == []


def test_two_builds_at_once_do_not_hurt_each_other(small: World) -> None:
    unique(small)
    small.write_spec(SPEC.replace("make %", "sleep 4; make %"))
    first = small.start(*BUILD)
    seen = wait_for(first, "build:tool: started")
    second = small.run(*BUILD)
    _, errors = first.communicate(timeout=60)
    assert first.returncode == 0, seen + errors
    assert second.status == 0, second.errors
    assert f"waiting for process {first.pid}" in second.errors
    assert "build:tool: started" not in second.errors
    assert small.leavings() == []


def engine_pid(small: World) -> int | None:
    """The private engine of this world's cache, if one runs."""
    for cmdline in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = cmdline.read_bytes().split(b"\0")
        except OSError:
            continue
        if words[0].endswith(b"dockerd") and any(str(small.cache).encode() in w for w in words):
            return int(cmdline.parent.name)
    return None


def test_an_engine_that_dies_in_mid_build_is_said(small: World) -> None:
    unique(small)
    small.write_spec(SLOW)
    process = small.start(*BUILD)
    wait_for(process, "build:tool: started")
    time.sleep(3)
    pid = engine_pid(small)
    if pid is None:
        process.kill()
        pytest.skip("this host has an engine of its own, which is not ours to end")
    os.kill(pid, signal.SIGKILL)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 7, errors
    assert "Traceback" not in errors
    small.write_spec(SPEC)
    again = small.run(*BUILD)
    assert again.status == 0, again.errors
    assert small.leavings() == []
