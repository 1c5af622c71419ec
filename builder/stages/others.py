"""What a build uses of other machines: a team's compiler cache, and workers that compile."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from builder.configuration import load as configuration
from builder.console import Console
from builder.engine.spec import ContainerSpec
from builder.farm.compiler import Compiler, running
from builder.farm.farm import Farm, FarmRules
from builder.farm.model import BaseImage, FarmUse
from builder.farm.slots import CompilerSlots
from builder.pipeline.budget import Budget
from builder.pipeline.stage import COMPILER_CACHE, WORKERS, Work
from builder.relay.door import DoorServices, open_door
from builder.relay.model import RelayTraffic
from builder.rpm.build import FarmSlots, OtherMachines
from builder.stages.once import Once
from builder.stages.request import Request

if TYPE_CHECKING:
    from builder.engine import Engine
    from builder.relay.relay import Relay

PROGRAM = "distcc"
"""The package of a base without which nothing in it can use workers."""


FED = 2
"""Slots of workers that one processor's preprocessing keeps busy (docs/how-to/scale.md)."""


class LocalCompilers:
    """This machine's own compilers, one for each build, started when they are first used.

    ``close`` ends them.
    """

    def __init__(self, engine: Callable[[], Engine], folder: Path) -> None:
        self._engine = engine
        self._folder = folder
        self._guard = threading.Lock()
        self._stack = ExitStack()
        self._made: dict[str, Compiler] = {}

    def __call__(self, image: BaseImage, session: str) -> CompilerSlots:
        """The compiler of a build, for what it compiles alone: code of its jobs can stay there.

        Raises EnvironmentFailure if it does not start.
        """
        with self._guard:
            if session not in self._made:
                folder = self._folder / str(len(self._made))
                compiler = running(image.tag, folder, 1, self._run)
                self._made[session] = self._stack.enter_context(compiler)
            return self._made[session].slots

    def close(self) -> None:
        """End all of them."""
        self._stack.close()

    def _run(self, spec: ContainerSpec, log: Path) -> int:
        return self._engine().run(spec, log=log)


class Workers:
    """The workers of a run, as its builds use them: the job budget grows by what they take.

    Giving an object away costs this machine about half of what compiling it does.  With so many
    slots of workers that it has enough to do with their sources, it compiles nothing itself.
    """

    def __init__(self, farm: Farm, budget: Callable[[], Budget]) -> None:
        self.farm = farm
        self._budget = budget
        self._guard = threading.Lock()
        self._grown: set[BaseImage] = set()

    def slots(self, image: BaseImage) -> FarmSlots:
        """Jobs at a time; the first call for an image grows the budget."""
        with self._guard:
            budget, away = self._budget(), self.farm.slots(image)
            here = max(0, budget.jobs - away // FED) if away else budget.jobs
            if image not in self._grown:
                self._grown.add(image)
                budget.grow(max(0, away + here - budget.jobs))
            return FarmSlots(away, here, budget.jobs)


class Others:
    """The other machines of one run, each kind found in the user's configuration on first use.

    ``folder``: for this machine's own compilers.  Raises UsageError for a malformed ``--workers``.
    """

    def __init__(
        self,
        request: Request,
        console: Console,
        engine: Callable[[], Engine],
        budget: Callable[[], Budget],
        folder: Path,
    ) -> None:
        self._request = request
        self._console = console
        self._budget = budget
        self._named = configuration.named_workers(request.workers)
        self._compilers = LocalCompilers(engine, folder)
        self.relay: Once[Relay | None] = Once(self._find_relay)
        self.workers: Once[Workers | None] = Once(self._find_workers)

    def close(self, *, at_once: bool = False) -> None:
        """Wait until all objects are stored (``at_once``: give that up), and end all compilers."""
        try:
            if self.relay.made is not None:
                self.relay.made.close(at_once=at_once)
        finally:
            self._compilers.close()

    def _find_relay(self) -> Relay | None:
        """To the team's compiler cache, if the request may use it."""
        cache = None if self._request.own_objects else configuration.load().compiler
        if cache is None:
            return None
        from builder.relay.relay import Relay  # noqa: PLC0415 - slow to load, and often unused

        return Relay(cache, self._console)

    def _find_workers(self) -> Workers | None:
        if self._request.own_compilers:
            return None
        configured = configuration.load()
        found = configured.workers if self._named is None else self._named
        if not found:
            return None
        farm = Farm(found, self._console, self._compilers, FarmRules(configured.compare))
        return Workers(farm, self._budget)


@dataclass(frozen=True)
class OthersUse:
    """What one build used of other machines."""

    traffic: RelayTraffic
    farm: FarmUse

    @property
    def is_spoilt(self) -> bool:
        """Whether a worker was found to return wrong objects."""
        return self.farm.is_spoilt


@contextmanager
def reached(
    relay: Relay | None, workers: Workers | None, work: Work, scope: str, image: BaseImage
) -> Iterator[tuple[OtherMachines | None, OthersUse]]:
    """What a build may use until the block ends, and what it does use of it.

    ``scope``: whose objects these are.
    """
    slots = workers.slots(image) if workers else FarmSlots()
    use = OthersUse(RelayTraffic(), workers.farm.new_use() if workers else FarmUse())
    services = DoorServices()
    if relay is not None:
        work.owe(COMPILER_CACHE)
        # What a worker has compiled, no other machine gets as ours.
        services.answer = relay.answers(scope, use.traffic, stores=not slots.away)
    if workers is not None and slots.away:
        work.owe(WORKERS)
        services.compile = partial(workers.farm.compile, image, use=use.farm)
    if relay is None and not slots.away:
        yield None, use
        return
    with open_door(work.scratch / "relay", services) as socket:
        yield OtherMachines(socket, relay is not None, slots), use
