"""Stages run when what they need is settled, are not run again, and explain themselves."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from builder.console import Console
from builder.errors import BuildError, SourceUnreachable, UsageError
from builder.host.paths import Cache
from builder.pipeline.budget import Budget
from builder.pipeline.digest import Input
from builder.pipeline.explain import explain
from builder.pipeline.ledger import Ledger
from builder.pipeline.schedule import Schedule, with_needs
from builder.pipeline.stage import Done, Stage, Work
from builder.pipeline.store import Store
from tests.support.clock import busy


@dataclass
class World:
    """Three stages in a row (a, b, c) and one beside them (d), with inputs to turn."""

    root: Path
    values: dict[str, str] = field(default_factory=lambda: dict.fromkeys("abcd", "1"))
    ran: list[str] = field(default_factory=list)
    fail: str = ""

    def stage(self, name: str, *needs: str, by_content: bool = False) -> Stage:
        def run(work: Work) -> None:
            self.ran.append(name)
            if self.fail == name:
                raise BuildError(f"{name} broke", "a compiler's words", "fix it")
            below = "".join((work.needs[need].path / "out").read_text() for need in needs)
            text = "same" if by_content else self.values[name] + below
            (work.output / "out").write_text(text)

        def inputs() -> tuple[Input, ...]:
            return (Input("value", self.values[name]),)

        return Stage(name, needs, inputs, run, by_content=by_content)

    def stages(self, *, content: bool = False) -> dict[str, Stage]:
        made = (
            self.stage("a", by_content=content),
            self.stage("b", "a"),
            self.stage("c", "b"),
            self.stage("d"),
        )
        return {stage.name: stage for stage in made}

    def schedule(self, stop_work: Callable[[], None] = lambda: None) -> Schedule:
        cache = Cache(self.root)
        budget = Budget(self.root / "jobs", 2)
        return Schedule(
            Store(cache),
            Ledger(cache.ledger / "l.json"),
            cache,
            Console(io.StringIO(), interactive=False),
            "run",
            budget=lambda: budget,
            stop_work=stop_work,
        )

    def run(self, *goals: str, content: bool = False) -> dict[str, Done]:
        self.ran.clear()
        return self.schedule().run(with_needs(self.stages(content=content), goals))

    def explain(self, *goals: str) -> list[str]:
        cache = Cache(self.root)
        return explain(self.stages(), goals, Store(cache), Ledger(cache.ledger / "l.json"))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    yield World(tmp_path)


def test_what_is_needed_runs_first_and_other_stages_do_not_run(world: World) -> None:
    done = world.run("c")
    assert world.ran == ["a", "b", "c"]
    assert (done["c"].path / "out").read_text() == "111"


def test_what_has_not_changed_is_not_done_again(world: World) -> None:
    world.run("c", "d")
    done = world.run("c", "d")
    assert world.ran == []
    assert all(stage.hit for stage in done.values())


def test_a_changed_input_runs_what_depends_on_it_and_nothing_else(world: World) -> None:
    world.run("c", "d")
    world.values["b"] = "2"
    world.run("c", "d")
    assert world.ran == ["b", "c"]


def test_what_an_earlier_version_made_is_told(world: World) -> None:
    world.run("b")
    cache = Cache(world.root)
    told = explain(
        world.stages(), ("c",), Store(cache), Ledger(cache.ledger / "l.json"), outdated=True
    )
    made = "would run, its output was made by an earlier version of the builder"
    assert told == [f"a: {made}", f"b: {made}", "c: would run, it never ran in this cache"]


def test_going_back_to_an_earlier_input_finds_its_output(world: World) -> None:
    world.run("c")
    world.values["b"] = "2"
    world.run("c")
    world.values["b"] = "1"
    done = world.run("c")
    assert world.ran == []
    assert (done["c"].path / "out").read_text() == "111"


def test_a_stage_by_content_stops_a_change_that_changes_nothing(world: World) -> None:
    world.run("c", content=True)
    world.values["a"] = "2"
    world.run("c", content=True)
    assert world.ran == ["a"]


def test_after_a_failure_the_next_run_goes_on_from_the_last_finished_stage(world: World) -> None:
    world.fail = "c"
    with pytest.raises(BuildError) as caught:
        world.run("c")
    assert caught.value.stage == "c"
    assert caught.value.log is not None
    world.fail = ""
    world.run("c")
    assert world.ran == ["c"]


def test_a_failure_stops_what_runs_beside_it(world: World, tmp_path: Path) -> None:
    stopped = threading.Event()

    def wait(work: Work) -> None:
        assert stopped.wait(10)
        raise BuildError("ended from outside")

    def fail(work: Work) -> None:
        time.sleep(0.2)
        raise BuildError("the first failure")

    stages = (
        Stage("long", (), tuple, wait),
        Stage("short", (), tuple, fail),
    )
    begun = time.monotonic()
    with pytest.raises(BuildError, match="the first failure"):
        world.schedule(stopped.set).run(stages)
    assert time.monotonic() - begun < busy(5)


def test_sources_that_cannot_be_reached_are_told_together(world: World) -> None:
    def unreachable(name: str, seconds: float) -> Stage:
        def run(work: Work) -> None:
            time.sleep(seconds)
            raise SourceUnreachable(f"no {name}", f"{name}: no answer", f"put {name} there")

        return Stage(f"fetch:{name}", (), tuple, run, slot=False)

    with pytest.raises(SourceUnreachable) as caught:
        world.schedule().run((unreachable("slow", 0.3), unreachable("quick", 0)))
    error = caught.value
    assert error.what == "no quick"
    assert error.cause == "quick: no answer\nno slow (stage fetch:slow):\nslow: no answer"
    assert error.hint == "put quick there\nput slow there"


def test_a_bug_in_a_stage_is_not_swallowed(world: World) -> None:
    def broken(work: Work) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        world.schedule().run((Stage("x", (), tuple, broken),))


def test_an_unknown_goal_lists_the_stages() -> None:
    with pytest.raises(UsageError, match="stages: "):
        with_needs({}, ["nothing"])


def test_explain_names_the_input_that_changed(world: World) -> None:
    assert world.explain("c")[0] == "a: would run, it never ran in this cache"
    world.run("c")
    assert world.explain("c") == [f"{name}: nothing has changed" for name in "abc"]
    world.values["b"] = "2"
    lines = world.explain("c")
    assert lines[0] == "a: nothing has changed"
    assert lines[1] == "b: would run"
    assert lines[2] == "    value: 1 -> 2"
    assert lines[3] == "c: would run"
    assert lines[4].startswith("    stage:b: ")


def test_explain_says_that_an_output_was_removed(world: World) -> None:
    done = world.run("a")
    (done["a"].path / "out").unlink()
    words = "its output is missing from the cache, or has changed there"
    assert world.explain("a")[1].strip() == words


def test_a_damaged_ledger_costs_only_explanations(world: World) -> None:
    world.run("c")
    (world.root / "ledger" / "l.json").write_text("{broken")
    world.run("c")
    assert world.ran == []


def test_how_far_a_run_has_come_is_told_with_each_stage(world: World) -> None:
    said = io.StringIO()
    schedule = world.schedule()
    schedule.console = Console(said, interactive=False)
    schedule.run(with_needs(world.stages(), ["c"]))
    done = [line.split(" ", 1)[1] for line in said.getvalue().splitlines() if "done in" in line]
    assert done == ["[1/3] a: done in 0.0 s", "[2/3] b: done in 0.0 s", "[3/3] c: done in 0.0 s"]


def test_verbose_says_why_each_stage_runs_and_where_its_log_is(world: World) -> None:
    world.run("b")
    world.values["b"] = "2"
    said = io.StringIO()
    schedule = world.schedule()
    schedule.console = Console(said, interactive=False, verbose=True)
    schedule.run(with_needs(world.stages(), ["b"]))
    lines = [line.split(" ", 1)[1] for line in said.getvalue().splitlines()]
    assert lines[0] == "b: runs"
    assert lines[1].startswith("    value: ")
    assert lines[2] == f"    log: {schedule.log('b')}"
