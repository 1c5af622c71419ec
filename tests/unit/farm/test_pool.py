"""A worker's compilers: one for each session, kept while they are of use."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from builder.errors import EnvironmentFailure
from builder.farm import pool as pools
from builder.farm.compiler import Compiler
from builder.farm.pool import CompilerPool
from builder.farm.slots import CompilerSlots, NoSlot


@dataclass
class Starts:
    """Starts compilers without a container.  ``running``: their numbers."""

    folder: Path
    running: list[int] = field(default_factory=list)
    alive: threading.Event = field(default_factory=threading.Event)
    fails: bool = False

    @contextmanager
    def __call__(self, number: int) -> Iterator[Compiler]:
        if self.fails:
            raise EnvironmentFailure("it does not start", "no engine", "")
        place = self.folder / str(number)
        place.mkdir()
        slots = CompilerSlots(place, 1)
        thread = threading.Thread(target=self.alive.wait, daemon=True)
        thread.start()
        self.running.append(number)
        try:
            yield Compiler(slots, place / "log", thread, [])
        finally:
            self.running.remove(number)
            slots.close()


@pytest.fixture
def starts(tmp_path: Path) -> Iterator[Starts]:
    made = Starts(tmp_path)
    yield made
    made.alive.set()


def use(pool: CompilerPool, session: str) -> None:
    with pool.compiler(session):
        pass


def test_a_session_has_a_compiler_of_its_own(starts: Starts) -> None:
    pool = CompilerPool(starts, 4)
    for session in ("a", "b", "a", "b"):
        use(pool, session)
    assert starts.running == [1, 2]
    pool.close()
    assert starts.running == []
    with pytest.raises(NoSlot):
        use(pool, "c")
    assert starts.running == []


def test_those_that_were_used_last_are_kept(starts: Starts) -> None:
    pool = CompilerPool(starts, 2)
    for session in ("a", "b", "c", "b"):
        use(pool, session)
    assert starts.running == [2, 3]
    with pool.compiler("d"), pool.compiler("e"):
        assert starts.running == [2, 3, 4, 5], "who works is not ended, however many there are"
    assert starts.running == [4, 5]


def test_one_that_nobody_uses_ends(starts: Starts, monkeypatch: pytest.MonkeyPatch) -> None:
    pool = CompilerPool(starts, 2)
    monkeypatch.setattr(pools, "IDLE_SECONDS", 0.0)
    with pool.compiler("a"):
        pool.sweep()
        assert starts.running == [1]
    pool.sweep()
    assert starts.running == []


def test_one_that_takes_no_job_is_replaced(starts: Starts) -> None:
    pool = CompilerPool(starts, 2)
    with pytest.raises(NoSlot), pool.compiler("a"):
        raise NoSlot("none has come")
    use(pool, "a")
    assert starts.running == [2]
    starts.alive.set()  # its container has ended
    with pool.compiler("a") as made:
        made._thread.join(5)
    use(pool, "a")
    assert starts.running[-1] > 2


def test_what_does_not_start_is_tried_again(starts: Starts) -> None:
    pool = CompilerPool(starts, 2)
    starts.fails = True
    with pytest.raises(EnvironmentFailure):
        use(pool, "a")
    starts.fails = False
    use(pool, "a")
    assert len(starts.running) == 1
    pool.close()
