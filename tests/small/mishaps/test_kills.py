"""A kill at any moment costs at most the running stage, and nothing is left behind."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from tests.support.mishaps.slow import BUILD, start_build, write_own_source
from tests.support.mishaps.traces import Traces
from tests.support.mishaps.waiting import Listener
from tests.world import SPEC, World

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]


@pytest.mark.parametrize("stage", ["fetch:tool", "unpack:tool", "prep:tool", "build:tool"])
def test_a_killed_run_is_gone_on_with(small: World, stage: str) -> None:
    before = Traces.now(small.cache)
    if stage == "build:tool":
        process, _ = start_build(small)
    else:
        write_own_source(small)
        process = small.start(*BUILD)
        Listener(process).wait_for(f"{stage}: started")
    process.kill()
    process.wait(30)
    before.require_unchanged()
    small.write_spec(SPEC)
    again = small.run(*BUILD)
    assert again.status == 0, again.errors
    assert small.leavings() == []
    before.require_unchanged()


@pytest.mark.registry
@pytest.mark.parametrize("seconds", [3, 12])
def test_a_killed_bootstrap_leaves_no_process_and_no_mount(small: World, seconds: float) -> None:
    before = Traces.now(small.cache)
    process = small.start("image", "--refresh", "--profile", "small")
    Listener(process).wait_for("Bootstrapping the guest root")
    time.sleep(seconds)
    process.kill()
    process.wait(30)
    before.require_unchanged(2.0)
    again = small.run("patch", "--profile", "small")
    assert again.status == 0, again.errors
    assert small.leavings() == []


def test_a_killed_clean_is_gone_on_with(small: World) -> None:
    before = Traces.now(small.cache)
    kept = small.project / "artifacts" / "other"
    kept.mkdir(parents=True)
    assert small.run("tree", "--profile", "small").status == 0
    doomed = small.project / "artifacts" / "small"
    for number in range(200):
        (doomed / str(number)).mkdir()
        for name in range(200):
            (doomed / str(number) / str(name)).touch()
    process = small.start("clean", "--profile", "small")
    Listener(process).wait_for("removing")
    process.kill()
    process.wait(30)
    again = small.run("clean", "--profile", "small")
    assert again.status in (0, 2), again.errors
    assert small.artifacts() == ["other"]
    before.require_unchanged()


def test_two_builds_at_once_do_not_hurt_each_other(small: World) -> None:
    write_own_source(small)
    small.write_spec(SPEC.replace("make %", "sleep 4; make %"))
    first = small.start(*BUILD)
    listener = Listener(first)
    listener.wait_for("build:tool: started")
    second = small.run(*BUILD)
    assert first.wait(60) == 0, listener.text
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
    process, listener = start_build(small)
    pid = engine_pid(small)
    if pid is None:
        process.kill()
        pytest.skip("this host has an engine of its own, which is not ours to end")
    os.kill(pid, signal.SIGKILL)
    assert process.wait(60) == 7, listener.text
    assert "Traceback" not in listener.text
    small.write_spec(SPEC)
    again = small.run(*BUILD)
    assert again.status == 0, again.errors
    assert small.leavings() == []
