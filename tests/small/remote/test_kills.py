"""A machine that is killed while it pushes or takes leaves nothing half that anybody would use."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.remote.keys import KeyPair
from tests.support.remote.machines import IMAGE, KERNEL, Machine, reader, writer
from tests.support.remote.store import Handler, StoreServer
from tests.world import ROOT

PROGRAM = """\
import sys
from pathlib import Path
from tests.support.remote.keys import KeyPair
from tests.support.remote.machines import Machine, reader, writer

root, url, key, line, manner = sys.argv[1:]
pair = KeyPair(Path(key), line)
Machine(Path(root)).run(writer(url, pair) if manner == "push" else reader(url, pair))
"""


def kill_at(
    store: StoreServer,
    is_moment: Callable[[Handler], bool],
    machine: Machine,
    pair: KeyPair,
    manner: str,
) -> None:
    """Run the machine in a process that is killed in the middle of a request."""
    reached, dead = threading.Event(), threading.Event()

    def wait(handler: Handler) -> bool:
        if not is_moment(handler):
            return False
        if handler.command == "PUT":
            handler.rfile.read(10)
        else:
            data = handler.file.read_bytes()
            head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(data)}\r\n\r\n"
            handler.wfile.write(head.encode() + data[: len(data) // 2])
        if store.keeps_halves:
            handler.file.parent.mkdir(parents=True, exist_ok=True)
            handler.file.write_bytes(handler.rfile.read(10))
        reached.set()
        dead.wait(60)
        handler.close_connection = True
        return True

    store.spoil = wait
    words = [str(machine.root), store.url, str(pair.path), pair.line, manner]
    with subprocess.Popen([sys.executable, "-c", PROGRAM, *words], cwd=ROOT) as process:
        assert reached.wait(60)
        process.send_signal(signal.SIGKILL)
        process.wait(60)
    dead.set()
    assert process.returncode == -signal.SIGKILL
    store.spoil = lambda handler: False


@pytest.mark.parametrize("suffix", [".tar", ".json", ".sig"])
@pytest.mark.parametrize("keeps_halves", [False, True])
def test_a_killed_push_leaves_nothing_that_is_used(
    tmp_path: Path, stage_store: StoreServer, pair: KeyPair, suffix: str, *, keeps_halves: bool
) -> None:
    stage_store.keeps_halves = keeps_halves
    maker, other = Machine(tmp_path / "maker"), Machine(tmp_path / "other")

    def is_moment(handler: Handler) -> bool:
        return handler.command == "PUT" and handler.path.endswith(suffix)

    kill_at(stage_store, is_moment, maker, pair, "push")
    assert any(name.endswith(suffix) for name in stage_store.files) == keeps_halves
    other.run(reader(stage_store.url, pair))
    assert other.ran == [KERNEL, IMAGE]
    third = Machine(tmp_path / "third")
    third.run(writer(stage_store.url, pair))
    last = Machine(tmp_path / "last")
    last.run(reader(stage_store.url, pair))
    assert (third.ran, last.ran) == ([KERNEL, IMAGE], [])


def test_a_killed_pull_leaves_nothing_half(
    tmp_path: Path, stage_store: StoreServer, pair: KeyPair
) -> None:
    maker, other = Machine(tmp_path / "maker"), Machine(tmp_path / "other")
    maker.run(writer(stage_store.url, pair))

    def is_moment(handler: Handler) -> bool:
        return handler.path.endswith(".tar")

    kill_at(stage_store, is_moment, other, pair, "take")
    assert not list(other.cache.stages.rglob("*"))
    other.run(reader(stage_store.url, pair))
    assert other.ran == []
