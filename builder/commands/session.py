"""One command's run: its lock, its engine, its job budget, and what it leaves behind."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Generic, TypeVar

from builder.console import Console
from builder.engine import connect
from builder.errors import UsageError
from builder.host.children import end_children
from builder.host.paths import Cache, Project
from builder.host.removal import remove
from builder.pipeline.budget import Budget
from builder.pipeline.ledger import Ledger
from builder.pipeline.lock import hold
from builder.pipeline.schedule import Schedule, with_needs
from builder.pipeline.stage import Done, Stage
from builder.pipeline.store import Store
from builder.profile import load
from builder.profile.model import Profile
from builder.stages import catalogue
from builder.stages.setting import Setting

if TYPE_CHECKING:
    from builder.engine import Engine

T = TypeVar("T")
KEPT_LOGS = 20


@dataclass(frozen=True)
class Request:
    """What the user asked for on the command line; empty means the profile's default."""

    profile: str
    flavour: str = ""
    base: str = ""
    jobs: int = 0
    locked: bool = False
    update: bool = False


class _Once(Generic[T]):
    """Makes a thing on first use, once, whichever thread asks first."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._made: list[T] = []

    def __call__(self) -> T:
        with self._lock:
            if not self._made:
                self._made.append(self._make())
            return self._made[0]

    @property
    def made(self) -> T | None:
        return self._made[0] if self._made else None


@dataclass(frozen=True)
class Session:
    """A run under way.  ``settle`` runs what the goals need and returns it.

    ``read``: outputs that the caller is about to use (see ``Schedule.run``).
    """

    setting: Setting
    stages: dict[str, Stage]
    ledger: Ledger
    store: Store
    schedule: Schedule

    def settle(
        self, *goals: str, forced: tuple[str, ...] = (), read: tuple[str, ...] = ()
    ) -> dict[str, Done]:
        wanted = with_needs(self.stages, goals)
        for stage in wanted:
            stage.check()
        return self.schedule.run(wanted, frozenset(forced), read)


def choose(project: Project, request: Request) -> tuple[Profile, str, str]:
    """The profile, flavour and base that a request means.

    Raises UsageError for names that do not exist.
    """
    profile = load.load(project.specs, request.profile)
    flavour = request.flavour or profile.default_flavour
    if flavour not in profile.flavour:
        raise UsageError(
            f"profile {profile.name} has no flavour {flavour!r}",
            f"flavours: {', '.join(profile.flavour)}",
            "name one of these with --flavour",
        )
    base = request.base or profile.base
    if not (project.bases / base).is_dir():
        known = sorted(path.name for path in project.bases.iterdir() if path.is_dir())
        raise UsageError(
            f"there is no base {base!r}",
            f"bases: {', '.join(known)}",
            "name one of these with --base",
        )
    return profile.in_base(base), flavour, base


def ledger_path(cache: Cache, profile: str, flavour: str, base: str) -> Path:
    return cache.ledger / f"{profile}-{flavour}-{base}.json"


def _sweep(cache: Cache, profile: str) -> None:
    """Remove what dead runs of this profile left; the caller holds the profile's lock."""
    if cache.scratch.is_dir():
        for folder in cache.scratch.iterdir():
            if folder.name.startswith((f"{profile}-", f".{profile}-")):
                remove(folder, cache.scratch)
    if cache.logs.is_dir():
        runs = sorted(path for path in cache.logs.glob(f"{profile}-*") if path.is_dir())
        for folder in runs[:-KEPT_LOGS]:
            remove(folder, cache.logs)


def _raise_interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@contextmanager
def interruptible() -> Iterator[None]:
    """SIGTERM and SIGHUP end a run as Ctrl-C does."""
    before = {n: signal.signal(n, _raise_interrupt) for n in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def open_session(
    request: Request,
    *,
    project: Project,
    cache: Cache,
    console: Console,
    reading: bool = False,
) -> Iterator[Session]:
    """Everything that a run needs; nothing of it is left when the block ends.

    Waits for another run of the same profile, unless it is only for ``reading``: nothing may
    be settled then.  The engine and the job budget are made
    when the first stage asks for them.
    """
    profile, flavour, base = choose(project, request)
    run_id = f"{profile.name}-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
    with ExitStack() as stack:
        stack.enter_context(interruptible())
        if not reading:
            stack.enter_context(hold(cache.locks, f"profile {profile.name}", console))
            _sweep(cache, profile.name)
        engine: _Once[Engine] = _Once(lambda: stack.enter_context(connect(cache, console)))
        jobs = request.jobs or os.cpu_count() or 1
        budget: _Once[Budget] = _Once(lambda: Budget(cache.scratch / run_id / "jobs", jobs))

        def stop_work() -> None:
            end_children()
            if engine.made is not None:
                engine.made.close()

        setting = Setting(
            profile=profile,
            flavour_name=flavour,
            base=base,
            locked=request.locked,
            project=project,
            cache=cache,
            console=console,
            engine=engine,
            jobs=lambda: budget().folder,
        )
        ledger = Ledger(ledger_path(cache, profile.name, flavour, base))
        store = Store(cache)
        schedule = Schedule(
            store, ledger, cache, console, run_id, budget=budget, stop_work=stop_work
        )
        stages = catalogue.stages(setting, ledger, update=request.update)
        try:
            yield Session(setting, stages, ledger, store, schedule)
        except OSError:  # no stage failed: there is nothing to open a shell in
            remove(cache.scratch / run_id, cache.scratch)
            raise
        remove(cache.scratch / run_id, cache.scratch)
