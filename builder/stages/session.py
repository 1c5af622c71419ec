"""One command's run: its lock, its engine, its job budget, and what it leaves behind."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from builder.configuration import load as configuration
from builder.console import Console
from builder.engine import connect
from builder.host import ci, ownership, processors
from builder.host.children import end_children
from builder.host.paths import Cache
from builder.host.processors import ProcessorCount
from builder.host.removal import remove
from builder.pipeline import run as runs
from builder.pipeline.budget import Budget
from builder.pipeline.code import Code
from builder.pipeline.elsewhere import HERE, NOWHERE, Elsewhere, OwnObjects, open_until_done
from builder.pipeline.facts import FetchFacts
from builder.pipeline.ledger import Ledger
from builder.pipeline.schedule import Schedule, with_needs
from builder.pipeline.stage import Done, Stage
from builder.pipeline.store import Store
from builder.place import Place
from builder.profile import load
from builder.profile.build import Build
from builder.profile.commit import finish
from builder.rpm.rendered import RenderedSpecs
from builder.source.accepted import BY_YOU
from builder.source.pins import open_lock
from builder.stages import baselock, catalogue
from builder.stages.baselock import BaseLock
from builder.stages.once import Once
from builder.stages.others import Others
from builder.stages.request import Request, choose
from builder.stages.setting import Setting

if TYPE_CHECKING:
    from builder.engine import Engine

MEMO = "code.json"  # what is known of the builder's modules
SPECS = "specs.json"  # what is known of rendered specs
COMPILERS = "compilers"  # this machine's own, which those of workers are compared with
REMOTE = "remote"  # folders of what goes to the stage store, and of what came from it spoilt


class Session(msgspec.Struct, frozen=True):
    """A run under way.  ``settle`` runs what the goals need and returns it.

    ``read``: outputs that the caller is about to use (see ``Schedule.run``).  ``processors``:
    what this machine's processors had done when it began.
    """

    setting: Setting
    stages: dict[str, Stage]
    ledger: Ledger
    store: Store
    schedule: Schedule
    base: BaseLock
    told: set[str] = msgspec.field(default_factory=set)
    processors: ProcessorCount = msgspec.field(default_factory=processors.count)

    def settle(
        self, *goals: str, forced: tuple[str, ...] = (), read: tuple[str, ...] = ()
    ) -> dict[str, Done]:
        wanted = with_needs(self.stages, goals)
        self.base.expect(stage.name for stage in wanted)
        done = self.schedule.run(wanted, frozenset(forced), read)
        self._tell_exceptions(done)
        return done

    def _tell_exceptions(self, done: dict[str, Done]) -> None:
        """Report in every run the used sources that only the operator accepts."""
        for name, stage in done.items():
            facts = stage.manifest.facts
            if not isinstance(facts, FetchFacts) or name in self.told:
                continue
            if BY_YOU in facts.verified:
                self.told.add(name)
                self.setting.console.say(f"{name}: {facts.verified}")


def ledger_path(cache: Cache, profile: str, flavour: str, base: str) -> Path:
    return cache.ledger / profile / f"{flavour}-{base}.json"


def builds_path(cache: Cache, profile: str, flavour: str, base: str) -> Path:
    """Where the last builds of a flavour in a base are remembered."""
    return cache.ledger / profile / f"{flavour}-{base}.builds.json"


@contextmanager
def _writing(place: Place, profile: str) -> Iterator[str]:
    """Take the locks of a writing run, and sweep up after dead runs; yields the run's name."""
    project, cache, console = place.project, place.cache, place.console
    run = runs.new_name()
    with (
        ownership.use(cache, console),
        runs.profile_alone(cache, project, profile, console),
    ):
        runs.sweep(cache, profile)
        runs.sweep_logs(cache, profile)
        runs.sweep_removals(cache, project, profile)
        if not ci.is_ci():
            lock = open_lock(project, profile)
            finish(lock, lambda: load.load(project.specs, profile).source)
        with runs.owned(cache, profile, run, console):
            yield run


@contextmanager
def _reading(cache: Cache, console: Console) -> Iterator[str]:
    with ownership.read(cache, console):
        yield runs.new_name()


def _has_ledgers(cache: Cache) -> bool:
    """Whether builds of this version have kept something here: then who reads may, too."""
    return cache.ledger.is_dir() and not ownership.is_outdated(cache)


def _keep(code: Code, rendered: RenderedSpecs) -> None:
    with contextlib.suppress(OSError):  # found again by the next run
        code.keep()
        rendered.keep()


def _stopper(engine: Once[Engine]) -> Callable[[], None]:
    """What ends everything that running stages have started."""

    def stop_work() -> None:
        end_children()
        if engine.made is not None:
            engine.made.close_soon()

    return stop_work


def _elsewhere(request: Request, place: Place, run_id: str) -> Elsewhere:
    """Which outputs of other machines count."""
    found = _stages_elsewhere(request, place, run_id)
    return OwnObjects(found, request.refused) if request.refused else found


def _stages_elsewhere(request: Request, place: Place, run_id: str) -> Elsewhere:
    """The store of the user's configuration, if it names one and the request may use it.

    A hermetic run takes nothing: a key does not say of which packages a base was made.
    """
    store = None if request.alone else configuration.load().stages
    if store is None:
        return HERE if request.alone or request.hermetic else NOWHERE
    if request.hermetic:
        store = dataclasses.replace(store, accept=())
    from builder.remote.stages import RemoteStages  # noqa: PLC0415 - slow to load, and often unused

    scratch = place.cache.scratch / run_id / REMOTE
    return RemoteStages(store, place.console, scratch, place.cache.aside / REMOTE)


@contextmanager
def open_session(
    request: Request,
    place: Place,
    *,
    reading: bool = False,
    build: Build | None = None,
) -> Iterator[Session]:
    """Everything that a run needs; nothing of it is left when the block ends.

    Waits for another run of the same profile, unless it is only for ``reading``: nothing may be
    settled then.  The engine and the job budget are made when the first stage asks for them.
    ``build``: what the request means, if the caller has chosen it already.
    """
    cache, console = place.cache, place.console
    build = build or choose(place.project, request)
    profile = build.profile
    if request.hermetic:
        baselock.require(place.project, build)
    if request.update:
        ci.require_editable("--update", f"invoke fetch --update --profile {profile}")
    with ExitStack() as stack:
        enter = _reading(cache, console) if reading else _writing(place, profile)
        run_id = f"{profile}/{stack.enter_context(enter)}"
        code, rendered = Code(cache.ledger / MEMO), RenderedSpecs(cache.ledger / SPECS)
        if not reading or _has_ledgers(cache):
            stack.callback(_keep, code, rendered)
        engine: Once[Engine] = Once(lambda: stack.enter_context(connect(cache, console)))
        jobs = request.jobs or os.cpu_count() or 1
        budget: Once[Budget] = Once(lambda: Budget(cache.scratch / run_id / "jobs", jobs))
        others = Others(request, console, engine, budget, cache.scratch / run_id / COMPILERS)
        setting = Setting(
            build=build,
            locked=ci.is_locked(asked=request.locked),
            project=place.project,
            cache=cache,
            console=console,
            engine=engine,
            jobs=lambda: budget().folder,
            code=code,
            rendered=rendered,
            relay=others.relay,
            workers=others.workers,
        )
        ledger = Ledger(ledger_path(cache, profile, build.flavour, build.base.name))
        store = Store(cache)
        elsewhere = _elsewhere(request, place, run_id)
        schedule = Schedule(
            *(store, ledger, cache, console, run_id),
            budget=budget, stop_work=_stopper(engine), elsewhere=elsewhere,
        )  # fmt: skip
        held = BaseLock(setting, hermetic=request.hermetic)
        schedule.settled = held.see
        stages = catalogue.stages(setting, ledger, update=request.update)
        try:
            with open_until_done(lambda: elsewhere), open_until_done(lambda: others):
                yield Session(setting, stages, ledger, store, schedule, held)
        except OSError:  # no stage failed: there is nothing to open a shell in
            remove(cache.scratch / run_id, cache.scratch)
            raise
        remove(cache.scratch / run_id, cache.scratch)
