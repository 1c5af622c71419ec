"""Ctrl-C is heard at once, ends everything within two seconds, and is heard a second time."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.small.mishaps.test_kills import engine_pid
from tests.support.clock import busy
from tests.support.mishaps.slow import BUILD, start_build
from tests.support.mishaps.traces import Traces
from tests.support.mishaps.waiting import Listener
from tests.world import SOURCE, SPEC, World

SOON = 2.0
HEARD = "interrupted: stopping"


def interrupt(process: subprocess.Popen[str], listener: Listener, number: int) -> None:
    """Send a signal and demand that all that follows is as promised."""
    begun = time.monotonic()
    process.send_signal(number)
    listener.wait_for(HEARD, 1.0)
    heard = time.monotonic() - begun
    process.wait(30)
    ended = time.monotonic() - begun
    assert heard < 0.5
    assert ended < SOON, listener.text
    assert process.returncode == 130
    assert "it goes on from the last finished stage" in listener.text
    assert "Traceback" not in listener.text


@pytest.fixture
def many_files(small: World) -> World:
    """A source that takes many seconds to unpack, and to remove; like no other test's.

    What follows an unpacked tree is keyed by what is in it.
    """
    files = {f"{n % 300}/{n}": "x" for n in range(60_000)}
    small.write_source({**SOURCE, **files, "ID": f"{small.project}\n"})
    return small


@pytest.mark.parametrize("stage", ["unpack:tool", "prep:tool"])
def test_work_on_many_files_ends_soon(many_files: World, stage: str) -> None:
    before = Traces.now(many_files.cache)
    process = many_files.start("tree", "--profile", "small")
    listener = Listener(process)
    listener.wait_for(f"{stage}: started")
    time.sleep(0.5)
    interrupt(process, listener, signal.SIGINT)
    before.require_unchanged()
    assert many_files.run("tree", "--profile", "small").status == 0


def test_removing_many_files_ends_soon(many_files: World) -> None:
    assert many_files.run("patch", "--check", "--profile", "small").status == 0
    doomed = many_files.project / "artifacts" / "small"
    for number in range(300):
        (doomed / str(number)).mkdir(parents=True)
        for name in range(300):
            (doomed / str(number) / str(name)).touch()
    process = many_files.start("clean", "--profile", "small")
    listener = Listener(process)
    listener.wait_for("removing")
    interrupt(process, listener, signal.SIGTERM)
    again = many_files.run("clean", "--profile", "small")
    assert again.status in (0, 2), again.errors
    assert many_files.artifacts() == []


@pytest.mark.engine
@pytest.mark.timeout(900)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_build_in_a_container_ends_soon(small: World, number: signal.Signals) -> None:
    before = Traces.now(small.cache)
    process, listener = start_build(small)
    interrupt(process, listener, number)
    before.require_unchanged()
    small.write_spec(SPEC)
    again = small.run(*BUILD)
    assert again.status == 0, again.errors
    assert "prep:tool: started" not in again.errors
    assert small.leavings() == []


@pytest.mark.engine
@pytest.mark.timeout(900)
def test_an_engine_that_hangs_keeps_nobody(small: World) -> None:
    before = Traces.now(small.cache)
    process, listener = start_build(small)
    pid = engine_pid(small)
    if pid is None:
        process.kill()
        pytest.skip("this host has an engine of its own, which is not ours to stop")
    os.kill(pid, signal.SIGSTOP)
    interrupt(process, listener, signal.SIGINT)
    before.require_unchanged()


@pytest.mark.registry
@pytest.mark.timeout(900)
def test_the_bootstrap_of_a_root_ends_soon(small: World) -> None:
    before = Traces.now(small.cache)
    process = small.start("image", "--refresh", "--profile", "small")
    listener = Listener(process)
    listener.wait_for("Bootstrapping the build root")
    time.sleep(12)
    interrupt(process, listener, signal.SIGINT)
    before.require_unchanged()


@pytest.mark.engine
@pytest.mark.timeout(900)
def test_a_second_ctrl_c_leaves_at_once(small: World) -> None:
    before = Traces.now(small.cache)
    process, listener = start_build(small)
    process.send_signal(signal.SIGINT)
    listener.wait_for(HEARD, 1.0)
    process.send_signal(signal.SIGINT)
    begun = time.monotonic()
    assert process.wait(10) == 130
    assert time.monotonic() - begun < busy(0.5)
    before.require_unchanged()


def test_what_a_shell_tells_to_ignore_the_hangup_goes_on(small: World) -> None:
    words = ("sh", "-c", 'trap "" HUP; echo ready; exec "$@"', "sh", *small.command("fetch"))
    process = subprocess.Popen(
        (*words, "--profile", "small"),
        cwd=small.project,
        env=small.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    while process.poll() is None:  # at every moment of its life
        process.send_signal(signal.SIGHUP)
        time.sleep(0.02)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    assert Path(small.project / "specs" / "small" / "sources.lock").is_file()
