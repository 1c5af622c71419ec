"""A stage that runs reads what it needs first, and what has changed is made anew in that run."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from builder.console import Console
from builder.errors import BuildError, VerificationError
from builder.host.listing import read
from builder.host.paths import Cache
from builder.pipeline.budget import Budget
from builder.pipeline.digest import Input
from builder.pipeline.ledger import Ledger
from builder.pipeline.schedule import Schedule, with_needs
from builder.pipeline.stage import Done, Stage, Work
from builder.pipeline.store import OUTPUT, Store
from tests.damage import spoil

DEEP = "tree/deep"  # deeper than a look goes when nothing runs


def only(work: Work) -> Path:
    """The output of the one need."""
    (need,) = work.needs.values()
    return need.path


@dataclass
class World:
    """``source``, its ``tree``, ``links`` to that tree, and two stages that read these."""

    root: Path
    values: dict[str, str] = field(default_factory=dict)
    ran: list[str] = field(default_factory=list)
    said: io.StringIO = field(default_factory=io.StringIO)
    during: Callable[[str], None] = lambda _: None

    @property
    def cache(self) -> Cache:
        return Cache(self.root / "cache")

    def stages(self) -> dict[str, Stage]:
        made = (
            self._stage("source", (), self._make_source),
            self._stage("tree", ("source",), self._make_tree, listed=False),
            self._stage("links", ("tree",), self._link, listed=False, carries=("tree",)),
            self._stage("one", ("links",), self._read),
            self._stage("two", ("links",), self._read),
        )
        return {stage.name: stage for stage in made}

    def _stage(
        self,
        name: str,
        needs: tuple[str, ...],
        run: Callable[[Work], None],
        *,
        listed: bool = True,
        carries: tuple[str, ...] = (),
    ) -> Stage:
        def noted(work: Work) -> None:
            self.ran.append(name)
            self.during(name)
            run(work)

        def inputs() -> tuple[Input, ...]:
            return (Input("value", self.values.get(name, "")),)

        return Stage(name, needs, inputs, noted, listed=listed, carries=carries)

    def _make_source(self, work: Work) -> None:
        (work.output / "file").write_text("source")

    def _make_tree(self, work: Work) -> None:
        (work.output / DEEP).mkdir(parents=True)
        for number in range(3):
            text = (only(work) / "file").read_text()
            (work.output / DEEP / f"f{number}").write_text(f"{text} {number}")

    def _link(self, work: Work) -> None:
        (need,) = work.needs.values()
        (work.output / DEEP).mkdir(parents=True)
        for path in (need.path / DEEP).iterdir():
            os.link(path, work.output / DEEP / path.name)
        work.state(need.listing())

    def _read(self, work: Work) -> None:
        files = sorted((only(work) / DEEP).iterdir())
        (work.output / "out").write_text("".join(path.read_text() for path in files))

    def run(
        self, *goals: str, values: dict[str, str] | None = None, more: tuple[Stage, ...] = ()
    ) -> dict[str, Done]:
        self.ran.clear()
        self.values |= values or {}
        cache = self.cache
        budget = Budget(self.root / "jobs", 3)
        schedule = Schedule(
            Store(cache),
            Ledger(cache.ledger / "l.json"),
            cache,
            Console(self.said, interactive=False),
            "run",
            budget=lambda: budget,
            stop_work=lambda: None,
        )
        try:
            return schedule.run((*with_needs(self.stages(), goals), *more))
        finally:
            budget.close()


GOOD = "source 0source 1source 2"


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path)
    made.run("one", "two")
    return made


def text(done: dict[str, Done], name: str) -> str:
    return (done[name].path / "out").read_text()


def test_a_stage_that_states_its_listing_states_the_truth(world: World) -> None:
    done = world.run("one")
    assert read(done["links"].path).digest == done["links"].manifest.listing


def test_a_changed_tree_is_made_anew_before_it_is_used(world: World) -> None:
    done = world.run("one")
    spoil(done["links"].path / DEEP / "f1")  # the same file as the tree's
    assert world.run("one")["one"].hit, "nothing runs: a look must do"
    done = world.run("one", values={"one": "2"})
    assert world.ran == ["tree", "links", "one"]
    assert text(done, "one") == GOOD
    said = world.said.getvalue()
    assert "links: its output in the cache has changed since it was made: tree/deep/f1 has" in said
    assert "tree: its output in the cache has changed since it was made: tree/deep/f1 has" in said
    assert f"kept as {world.cache.aside / 'tree'}" in said
    assert (world.cache.aside / "tree" / OUTPUT / DEEP / "f1").read_text() != "source 1"


def test_a_file_that_was_exchanged_does_not_get_in_by_links(world: World) -> None:
    tree = world.run("one")["tree"].path / DEEP / "f1"
    tree.unlink()
    tree.write_text("hostile!")
    done = world.run("one", values={"links": "2"})
    assert text(done, "one") == GOOD
    assert world.ran.count("tree") == 1
    assert (world.cache.aside / "links" / OUTPUT / DEEP / "f1").read_text() == "hostile!"


@pytest.mark.parametrize("place", ["", "tree", DEEP, f"{DEEP}/f1"])
def test_what_a_close_umask_left_is_made_anew_before_it_is_used(world: World, place: str) -> None:
    (world.run("one")["links"].path / place).chmod(0o700)
    done = world.run("one", values={"one": "2"})
    assert "links" in world.ran
    assert text(done, "one") == GOOD
    assert read(done["links"].path).digest == done["links"].manifest.listing
    assert (done["links"].path / place).stat().st_mode & 0o004
    assert world.run("one", values={"one": "3"})["links"].hit


def test_a_closed_folder_is_found_though_nothing_else_runs(world: World) -> None:
    (world.run("one")["links"].path).chmod(0o700)
    world.run("one")
    assert world.ran == ["links"]
    assert "links: its output in the cache has changed since it was made: . cannot be read" in (
        world.said.getvalue()
    )


def test_a_file_that_was_added_does_not_get_in_by_links(world: World) -> None:
    (world.run("one")["tree"].path / DEEP / "more").write_text("hostile!")
    done = world.run("one", values={"links": "2"})
    assert text(done, "one") == GOOD


def test_what_two_stages_need_is_made_anew_once(world: World) -> None:
    spoil(world.run("one")["links"].path / DEEP / "f1")
    done = world.run("one", "two", values={"one": "2", "two": "2"})
    assert (text(done, "one"), text(done, "two")) == (GOOD, GOOD)
    assert sorted(world.ran) == ["links", "one", "tree", "two"]


def test_an_output_is_not_taken_away_while_a_stage_uses_it(world: World) -> None:
    tree = world.run("one")["tree"]
    begun, looked = threading.Event(), threading.Event()

    def during(name: str) -> None:
        if name == "links":
            begun.set()
            looked.wait(0.5)  # a reader of the tree complains meanwhile
            assert tree.path.is_dir()

    spoil(tree.path / DEEP / "f1")
    world.during = during
    reader = Stage("reader", ("tree",), tuple, world._read)
    done = world.run("one", values={"links": "2"}, more=(reader,))
    assert begun.is_set()
    assert text(done, "reader") == GOOD
    assert text(done, "one") == GOOD


def test_a_change_that_shows_is_found_though_nothing_else_runs(world: World) -> None:
    out = world.run("one")["one"].path / "out"
    out.write_text("other")
    done = world.run("one")
    assert world.ran == ["one"]
    assert text(done, "one") == GOOD
    assert "one: its output in the cache has changed since it was made: out has" in (
        world.said.getvalue()
    )


def test_every_output_is_read_once_a_run(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.run("one", "two", values={"one": "2", "two": "2"})
    times: dict[str, int] = {}
    for name in ("one", "two"):
        world.values[name] = "3"
    seen = Store.require

    def counted(self: Store, done: Done, **more: threading.Event) -> None:
        times[done.name] = times.get(done.name, 0) + 1
        seen(self, done, **more)

    monkeypatch.setattr(Store, "require", counted)
    world.run("one", "two")
    assert times == {"links": 1}


@pytest.mark.timeout(60)
def test_what_does_not_stay_as_it_is_made_ends_the_run(world: World) -> None:
    """As in a file system that gives files modes of its own, or on a disk that fails."""
    tree = world.run("one")["tree"].path

    def complain(work: Work) -> None:
        only(work).chmod(0o700)
        (need,) = work.needs.values()
        Store(world.cache).require(need)

    picky = Stage("picky", ("tree",), tuple, complain)
    with pytest.raises(VerificationError) as failure:
        world.run("one", more=(picky,))
    assert failure.value.what == "the output of tree changes after it was made"
    assert "cannot be read by everybody" in failure.value.cause
    assert str(tree) in failure.value.cause
    assert world.ran.count("tree") == 1
    assert text(world.run("one"), "one") == GOOD


def test_what_cannot_be_made_anew_ends_the_run(world: World) -> None:
    spoil(world.run("one")["links"].path / DEEP / "f1")

    def fail(name: str) -> None:
        if name == "tree":
            raise BuildError("no tree", "no more", "look")

    world.during = fail
    with pytest.raises(BuildError, match="no tree"):
        world.run("one", values={"one": "2"})
    world.during = lambda _: None
    assert text(world.run("one"), "one") == GOOD
