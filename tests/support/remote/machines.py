"""Machines of a team: each has a cache of its own, and runs tiny stages with one store."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from builder.console import Console
from builder.errors import EnvironmentFailure
from builder.host.paths import Cache
from builder.pipeline.budget import Budget
from builder.pipeline.digest import Input
from builder.pipeline.elsewhere import NOWHERE, Elsewhere, open_until_done
from builder.pipeline.explain import explain
from builder.pipeline.facts import BuildFacts, VmFacts
from builder.pipeline.ledger import Ledger
from builder.pipeline.schedule import Schedule, with_needs
from builder.pipeline.stage import Done, Stage, Work
from builder.pipeline.store import Store
from builder.remote.exchange import StorePatience
from builder.remote.model import Password, StageStore
from builder.remote.stages import RemoteStages
from tests.support.remote.keys import KeyPair
from tests.support.remote.store import USER

QUICK = StorePatience(connect=20.0, stall=20.0, answer=20.0, pause=0.01)
KERNEL, IMAGE = "build:kernel", "vm"


@dataclass
class Machine:
    """``ran``: the stages that it has run itself, in order.

    ``unshared``: what it knows of other machines if it uses no store.  ``lacks``: what its host
    lacks to run a stage, empty for nothing.
    """

    root: Path
    value: str = "1"
    ran: list[str] = field(default_factory=list)
    unshared: Elsewhere = NOWHERE
    lacks: str = ""
    said: io.StringIO = field(default_factory=io.StringIO)

    @property
    def cache(self) -> Cache:
        return Cache(self.root)

    @property
    def told(self) -> list[str]:
        """What was said of the store, without the times."""
        lines = (line.split(" ", 1)[1] for line in self.said.getvalue().splitlines())
        return [line for line in lines if "stage store" in line]

    def stages(self) -> dict[str, Stage]:
        def inputs() -> tuple[Input, ...]:
            return (Input("value", self.value),)

        def kernel(work: Work) -> None:
            self.ran.append(KERNEL)
            (work.output / "rpms").mkdir()
            (work.output / "rpms" / "kernel.rpm").write_bytes(self.value.encode() * 100_000)
            (work.output / "program").write_text("#!/bin/sh\n")
            (work.output / "program").chmod(0o755)
            (work.output / "link").symlink_to("program")
            (work.output / "empty").mkdir()
            work.log.write_text("compiled\n")
            work.note(BuildFacts(4400, 1500.0))

        def image(work: Work) -> None:
            self.ran.append(IMAGE)
            made = (work.needs[KERNEL].path / "rpms" / "kernel.rpm").read_bytes()
            (work.output / "image").write_bytes(made[:10])
            work.note(VmFacts("6.1"))

        def check() -> None:
            if self.lacks:
                raise EnvironmentFailure(f"this host cannot run it: {self.lacks}", "", "")

        made = (
            Stage(KERNEL, (), inputs, kernel, shared=True, check=check),
            Stage(IMAGE, (KERNEL,), inputs, image, shared=True, check=check),
        )
        return {stage.name: stage for stage in made}

    def schedule(self, elsewhere: Elsewhere = NOWHERE) -> Schedule:
        cache = self.cache
        budget = Budget(self.root / "jobs", 2)
        return Schedule(
            Store(cache),
            self.ledger,
            cache,
            Console(self.said, interactive=False),
            "team/run",
            budget=lambda: budget,
            stop_work=lambda: None,
            elsewhere=elsewhere,
        )

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.cache.ledger / "l.json")

    def remote(self, store: StageStore, patience: StorePatience = QUICK) -> RemoteStages:
        scratch = self.cache.scratch / "team/run/remote"
        aside = self.cache.aside / "remote"
        return RemoteStages(store, Console(self.said, interactive=False), scratch, aside, patience)

    @contextmanager
    def session(
        self, store: StageStore | None, patience: StorePatience = QUICK
    ) -> Iterator[Schedule]:
        """A run under way, with this store."""
        elsewhere = self.unshared if store is None else self.remote(store, patience)
        with open_until_done(lambda: elsewhere):
            yield self.schedule(elsewhere)

    def run(
        self,
        store: StageStore | None,
        *goals: str,
        forced: tuple[str, ...] = (),
        patience: StorePatience = QUICK,
    ) -> dict[str, Done]:
        """Settle the goals (all stages by default)."""
        with self.session(store, patience) as schedule:
            wanted = with_needs(self.stages(), goals or (IMAGE,))
            return schedule.run(wanted, frozenset(forced))

    def explain(self) -> list[str]:
        known = (self.stages(), (IMAGE,), Store(self.cache), self.ledger)
        return explain(*known, elsewhere=self.unshared)


def reader(url: str, *accept: KeyPair) -> StageStore:
    """A store whose entries are used if one of these keys has signed them."""
    return StageStore(url, tuple(one.accepted for one in accept))


def writer(url: str, key: KeyPair, user: str = USER) -> StageStore:
    """The same, to which this machine pushes, too."""
    return StageStore(url, (key.accepted,), key.path, Password(user))
