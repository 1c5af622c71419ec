"""A lock keeps others out, says who holds it, and is given back by the dead."""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from builder.console import Console
from builder.errors import Interrupted
from builder.host import lock

HOLDER = """
import sys
from pathlib import Path
from builder.console import Console
from builder.host.lock import hold
with hold(Path(sys.argv[1]), "the thing", Console(), shared=sys.argv[2] == "shared"):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def holder(path: Path, kind: str = "alone") -> Iterator[subprocess.Popen[str]]:
    """A process that holds the lock until its standard input ends."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, path, kind],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def let_go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.close()


class LettingGo(io.StringIO):
    """Messages; the holder lets go as soon as somebody says that it waits."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        super().__init__()
        self._process = process

    def write(self, text: str) -> int:
        let_go(self._process)
        return super().write(text)


def test_one_waits_and_says_for_whom(tmp_path: Path) -> None:
    with holder(tmp_path / "lock") as process:
        said = LettingGo(process)
        with lock.hold(tmp_path / "lock", "the thing", Console(said, interactive=False)):
            assert process.wait(10) == 0
    assert f"the thing: waiting for process {process.pid} (" in said.getvalue()


def test_many_share_and_one_who_wants_it_alone_waits_for_all(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with holder(path, "shared") as first, holder(path, "shared") as second:
        assert lock.holders(path) == sorted([first.pid, second.pid])
        with lock.hold_if_free(path, shared=True) as free:
            assert free
        with lock.hold_if_free(path) as free:
            assert not free
        let_go(first)
        first.wait(10)
        with lock.hold_if_free(path) as free:
            assert not free
        let_go(second)
        second.wait(10)
        with lock.hold_if_free(path) as free:
            assert free


def test_who_waits_is_not_named_as_a_holder(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with holder(path) as process:
        waiting = os.open(path, os.O_RDWR)
        assert lock.holders(path) == [process.pid]
        os.close(waiting)


def test_a_killed_holder_gives_it_back(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with holder(path) as process:
        process.kill()
        process.wait(10)
        with lock.hold_if_free(path) as free:
            assert free


def test_a_lock_whose_file_was_removed_is_nobody_s(tmp_path: Path) -> None:
    """Two that hold different files of one name would both think that they are alone."""
    path = tmp_path / "lock"
    with holder(path) as process:
        path.unlink()
        with lock.hold_if_free(path) as free:
            assert free
        with holder(path), lock.hold_if_free(path) as free:
            assert not free
        assert process.poll() is None


def test_a_lock_whose_file_goes_while_it_is_taken_is_nobody_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "lock"
    take = fcntl.flock
    with contextlib.ExitStack() as others:

        def late(descriptor: int, operation: int) -> None:
            # The file is open: its holder removes it and ends, and another one takes a new file.
            monkeypatch.undo()
            path.unlink()
            others.enter_context(holder(path))
            take(descriptor, operation)

        monkeypatch.setattr(fcntl, "flock", late)
        with lock.hold_if_free(path) as free:
            assert not free


def test_another_thread_of_this_process_waits_and_needs_no_word(tmp_path: Path) -> None:
    said, order = io.StringIO(), []
    console = Console(said, interactive=False)

    def work() -> None:
        with lock.hold(tmp_path / "lock", "the thing", console):
            order.append("second")

    with lock.hold(tmp_path / "lock", "the thing", console):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join(0.5)
        order.append("first")
    thread.join(10)
    assert order == ["first", "second"]
    assert said.getvalue() == ""


def test_a_stop_ends_the_wait(tmp_path: Path) -> None:
    stop = threading.Event()
    console = Console(io.StringIO(), interactive=False)
    with holder(tmp_path / "lock"):
        threading.Timer(0.3, stop.set).start()
        with (
            pytest.raises(Interrupted),
            lock.hold(tmp_path / "lock", "the thing", console, stop=stop),
        ):
            pytest.fail("it was held twice")
