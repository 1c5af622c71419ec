"""Promise 2: a private engine, shared, stopped by the last one out, nothing left of it."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from builder.console import Console
from builder.engine import ContainerSpec, connect
from builder.engine.private import PrivateEngine, daemon_process, private_engine
from builder.engine.remains import engine_processes
from builder.errors import EnvironmentFailure
from builder.host.paths import Cache

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("private_only")]
IMAGE = "lvs-builder/tiny:1"
ROOT = Path(__file__).parents[3]

USER = """
import sys
from pathlib import Path
import builder.engine.discovery as discovery
from builder.console import Console
from builder.engine import ContainerSpec, connect
from builder.host.paths import Cache
discovery.usual_endpoints = lambda: iter(())
with connect(Cache(Path(sys.argv[1])), Console()) as engine:
    engine.import_image(Path(sys.argv[2]), "lvs-builder/tiny:1")
    spec = ContainerSpec("lvs-builder/tiny:1", ("/bin/sh", "-c", "echo running; sleep 300"))
    engine.run(spec, log=Path(sys.argv[3]))
"""


def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass in time"
        time.sleep(0.05)


def assert_nothing_left(private: PrivateEngine) -> None:
    until(lambda: not engine_processes(private.run), 10)
    mounts = Path("/proc/self/mountinfo").read_text()
    assert str(private.run) not in mounts
    assert str(private.home) not in mounts
    assert not private.run.exists()
    assert list(Path("/sys/fs/cgroup").glob(f"**/{private.group}")) == []


def assert_private(private: PrivateEngine) -> None:
    """Its mounts are its own, and its socket is for root alone."""
    mounts = Path("/proc/self/mountinfo").read_text()
    assert str(private.run) not in mounts
    assert str(private.home) not in mounts
    status = private.socket.stat()
    assert (status.st_uid, status.st_gid) == (0, 0)
    assert private.run.stat().st_mode & 0o077 == 0


def start_user(cache: Cache, tiny: Path, log: Path) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-c", USER, cache.root, tiny, log],
        cwd=ROOT,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    until(lambda: log.exists() and b"running" in log.read_bytes())
    return process


def test_it_says_so_and_ends_with_the_block(cache: Cache) -> None:
    stream = io.StringIO()
    private = private_engine(cache)
    with connect(cache, Console(stream, interactive=False)) as engine:
        assert engine.endpoint.private
        assert daemon_process(private)
        assert_private(private)
    assert "starting a private one" in stream.getvalue()
    assert_nothing_left(private)


def test_an_exception_ends_it_too(cache: Cache) -> None:
    with pytest.raises(ZeroDivisionError), connect(cache, Console()):
        raise ZeroDivisionError
    assert_nothing_left(private_engine(cache))


def test_two_share_one_and_the_last_one_stops_it(cache: Cache, tiny: Path, tmp_path: Path) -> None:
    private = private_engine(cache)
    other = start_user(cache, tiny, tmp_path / "log")
    first = daemon_process(private)
    with connect(cache, Console()) as engine:
        assert daemon_process(private) == first
        assert_private(private)  # also while a container runs
        os.kill(other.pid, signal.SIGINT)
        assert other.wait(20) != 0
        assert daemon_process(private) == first
        spec = ContainerSpec(IMAGE, ("/bin/sh", "-c", "exit 4"))
        assert engine.run(spec, log=tmp_path / "mine") == 4
    assert_nothing_left(private)


def test_an_interrupted_builder_leaves_nothing(cache: Cache, tiny: Path, tmp_path: Path) -> None:
    builder = start_user(cache, tiny, tmp_path / "log")
    os.kill(builder.pid, signal.SIGINT)
    assert builder.wait(20) != 0
    assert_nothing_left(private_engine(cache))


def test_a_killed_builder_leaves_nothing(cache: Cache, tiny: Path, tmp_path: Path) -> None:
    builder = start_user(cache, tiny, tmp_path / "log")
    os.kill(builder.pid, signal.SIGKILL)
    builder.wait(5)
    assert_nothing_left(private_engine(cache))
    with connect(cache, Console()) as engine:
        assert engine.has_image(IMAGE)


@pytest.mark.parametrize("delay", [0.0, 0.03, 0.08, 0.15, 0.25, 0.4])
def test_a_builder_killed_while_its_engine_starts_leaves_nothing(
    cache: Cache, tiny: Path, tmp_path: Path, delay: float
) -> None:
    builder = subprocess.Popen(
        [sys.executable, "-c", USER, cache.root, tiny, tmp_path / "log"],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    assert builder.stderr is not None
    assert any(b"starting a private one" in line for line in builder.stderr)
    time.sleep(delay)
    builder.kill()
    builder.wait(5)
    assert_nothing_left(private_engine(cache))


def test_containers_of_a_killed_builder_are_swept(cache: Cache, tiny: Path, tmp_path: Path) -> None:
    with connect(cache, Console()) as engine:
        builder = start_user(cache, tiny, tmp_path / "log")
        os.kill(builder.pid, signal.SIGKILL)
        builder.wait(5)
        with engine._client() as client:
            assert len(client.containers()) == 1
            engine.sweep(Console())
            assert client.containers(all=True) == []


def test_an_engine_killed_in_mid_run_is_told(cache: Cache, tiny: Path, tmp_path: Path) -> None:
    private = private_engine(cache)

    def kill(_line: str) -> None:
        daemon = daemon_process(private)
        assert daemon
        daemon.send(signal.SIGKILL)

    spec = ContainerSpec(IMAGE, ("/bin/sh", "-c", "echo one; sleep 300"))
    with (
        pytest.raises(EnvironmentFailure, match="went away") as caught,
        connect(cache, Console()) as engine,
    ):
        engine.import_image(tiny, IMAGE)
        engine.run(spec, log=tmp_path / "log", on_line=kill)
    assert caught.value.exit_code == 7
    assert "run the same command again" in caught.value.hint
    assert_nothing_left(private)


def test_an_engine_that_cannot_start_says_why(cache: Cache) -> None:
    cache.engine.mkdir(parents=True)
    (cache.engine / "data").write_text("in the way")
    with (
        pytest.raises(EnvironmentFailure, match="does not start") as caught,
        connect(cache, Console()),
    ):
        pass
    assert "data" in caught.value.cause
    assert_nothing_left(private_engine(cache))


def test_a_deep_cache_is_no_obstacle(tmp_path: Path) -> None:
    cache = Cache(tmp_path / ("d" * 100) / ("e" * 100))
    with connect(cache, Console()):
        pass
    assert_nothing_left(private_engine(cache))
