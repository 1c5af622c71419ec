"""A private engine is started once, shared, and gone with its last user.

A stand-in has the name and the options of dockerd, and answers what is asked of it first.
"""

from __future__ import annotations

import io
import os
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from builder.console import Console
from builder.engine import keeper
from builder.engine.location import ask
from builder.engine.private import (
    PrivateEngine,
    daemon_process,
    hold,
    private_engine,
    stop,
)
from builder.engine.remains import engine_processes
from builder.errors import EnvironmentFailure
from builder.host.paths import Cache
from tests.support.clock import busy

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("unshare") is None, reason="a private engine needs root"
)
SERVER = """
import os, signal, socket, sys
if "STUBBORN" not in os.environ:  # the first process of a namespace ignores it otherwise
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
given = dict(word.partition("=")[::2] for word in sys.argv[1:])
host = given["--host"].removeprefix("unix://")
print("its driver is", given["--storage-driver"], flush=True)
os.makedirs(os.path.join(given["--data-root"], given["--storage-driver"]), exist_ok=True)
listener = socket.socket(socket.AF_UNIX)
listener.bind(host)
listener.listen()
body = b'{"ApiVersion": "1.41"}'
while True:
    peer, _ = listener.accept()
    peer.recv(65536)
    peer.sendall(b"HTTP/1.0 200 OK\\r\\nContent-Length: %d\\r\\n\\r\\n%s" % (len(body), body))
    peer.close()
"""
# dockerd is known by its name, and Python finds its library by its own.
SCRIPT = """\
#!/bin/bash
{before}
PYTHONHOME={home} exec -a dockerd {python} -S {server} "$@"
"""


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[PrivateEngine]:
    made = private_engine(Cache(tmp_path / "cache"))
    yield made
    stop(made, 0)
    assert not made.run.exists()


@pytest.fixture(autouse=True)
def dockerd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    path = tmp_path / "bin" / "dockerd"
    write(path)
    return path


def write(dockerd: Path, before: str = "") -> None:
    server = dockerd.with_name("server.py")
    server.write_text(SERVER)
    python, home = sys.executable, sys.base_prefix
    dockerd.write_text(SCRIPT.format(before=before, home=home, python=python, server=server))
    dockerd.chmod(0o755)


def console() -> tuple[Console, io.StringIO]:
    said = io.StringIO()
    return Console(said, interactive=False), said


def test_two_users_share_one_and_the_last_one_ends_it(engine: PrivateEngine) -> None:
    first, said = console()
    second, again = console()
    with hold(engine, first) as endpoint:
        process = daemon_process(engine)
        assert process is not None
        assert ask(endpoint) == "1.41"
        assert engine.run.stat().st_mode & 0o077 == 0
        with hold(engine, second):
            assert daemon_process(engine) == process
        assert process.lives, "somebody still uses it"
        assert str(engine.run) not in Path("/proc/self/mountinfo").read_text()
    assert not process.lives
    assert engine_processes(engine.run) == []
    assert not engine.run.exists()
    assert "starting a private one, which ends with this command" in said.getvalue()
    assert "Using the private engine that runs already" in again.getvalue()


def test_an_interrupt_ends_an_engine_that_does_not_want_to(
    engine: PrivateEngine, dockerd: Path
) -> None:
    write(dockerd, "export STUBBORN=1")
    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt), hold(engine, console()[0]):
        begun = time.monotonic()
        raise KeyboardInterrupt
    assert time.monotonic() - begun < busy(10)
    assert engine_processes(engine.run) == []


def test_an_engine_that_has_stopped_answering_is_replaced(engine: PrivateEngine) -> None:
    with hold(engine, console()[0]):
        old = daemon_process(engine)
        assert old is not None
        engine.socket.unlink()
        other, said = console()
        with hold(engine, other):
            new = daemon_process(engine)
            assert new is not None
            assert new != old
    assert "does not answer; ending it" in said.getvalue()


def test_the_keeper_ends_an_engine_whose_users_were_killed(engine: PrivateEngine) -> None:
    with hold(engine, console()[0]):
        process = daemon_process(engine)
        assert process is not None
        keeper.main(str(engine.home), str(engine.run), str(engine.log))
        assert not process.lives
        assert not engine.run.exists()


def test_the_driver_that_has_the_images_is_used_again(engine: PrivateEngine) -> None:
    (engine.data / "vfs").mkdir(parents=True)
    with hold(engine, console()[0]):
        assert "its driver is vfs" in engine.log.read_text()


def test_a_full_disk_is_told_in_the_engine_s_last_words(
    engine: PrivateEngine, dockerd: Path
) -> None:
    engine.log.parent.mkdir(parents=True)
    engine.log.write_text("of an earlier run\n")
    write(dockerd, "echo first; echo 'mkdir /x: no space left on device' >&2; exit 1")
    with (
        pytest.raises(EnvironmentFailure, match="does not start") as caught,
        hold(engine, console()[0]),
    ):
        pass
    assert caught.value.cause == "first\nmkdir /x: no space left on device"
    assert caught.value.log == engine.log


def test_data_that_crashes_it_is_removed(engine: PrivateEngine, dockerd: Path) -> None:
    (engine.data / "vfs").mkdir(parents=True)
    (engine.data / "damaged.db").touch()
    crash = r"printf 'panic: freepages\ngoroutine 1 [running]:\n'; exit 2"
    write(dockerd, f"[ ! -e {engine.data}/damaged.db ] || {{ {crash}; }}")
    told, said = console()
    with hold(engine, told):
        assert not (engine.data / "damaged.db").exists()
    assert "data is damaged: starting with none" in said.getvalue()
