"""Runs stages, each as soon as its needs are settled, and only if it must run.

Stages run in threads side by side; those that compute take their share of the job budget.  The
first failure stops the others; finished outputs are not lost.
"""

from __future__ import annotations

import queue
import shlex
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from builder.board import Whole
from builder.colour import Tone
from builder.console import Console
from builder.errors import (
    BuilderError,
    DiskFull,
    Interrupted,
    SourceUnreachable,
    VerificationError,
)
from builder.host import fulldisk
from builder.host.paths import Cache
from builder.host.removal import remove
from builder.pipeline import digest
from builder.pipeline.budget import Budget
from builder.pipeline.digest import Input
from builder.pipeline.elsewhere import NOT_ACCEPTED, NOWHERE, Elsewhere
from builder.pipeline.estimate import whole
from builder.pipeline.ledger import Entry, Ledger
from builder.pipeline.needs import all_inputs, with_needs
from builder.pipeline.reasons import reasons
from builder.pipeline.stage import Damaged, Done, Stage
from builder.pipeline.store import Store
from builder.pipeline.trust import Trust
from builder.pipeline.worker import Worker
from builder.spans import span

__all__ = ["Schedule", "all_inputs", "with_needs"]

Outcome = Done | BaseException
# Seconds that a run whose source is not available waits for the other sources' answers.
HEARD_OUT = 10.0
# Seconds that an ending run waits for its stages to notice.
STOPPING = 5.0
STOPPING_AT_ONCE = 0.4  # when a user waits at the terminal
POLL = 0.2


@dataclass
class Schedule:
    """One run of some stages.

    ``run_id``: the run's path below the cache's scratch and logs, ``<profile>/<run>``.  ``budget``
    makes the job budget when the first stage has to run; ``stop_work`` ends what running stages
    have started (containers, programs), so that their threads end.  ``begin`` is called once,
    before the first stage is run.  ``settled`` is called with each stage's output before a stage
    that needs it is run; an error from it ends the run.  ``elsewhere``: outputs of other machines.
    ``failed``: stages that ended with an error of their own.
    """

    store: Store
    ledger: Ledger
    cache: Cache
    console: Console
    run_id: str
    budget: Callable[[], Budget]
    stop_work: Callable[[], None]
    begin: Callable[[], None] = lambda: None
    settled: Callable[[Done], None] = lambda done: None
    elsewhere: Elsewhere = NOWHERE
    stop: threading.Event = field(default_factory=threading.Event)
    done: dict[str, Done] = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)
    _checked: bool = False
    _begun: dict[str, float] = field(default_factory=dict)
    _stages: dict[str, Stage] = field(default_factory=dict)
    _damaged: dict[str, Damaged] = field(default_factory=dict)
    _made_anew: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.trust = Trust(self.store, self.stop)
        self._worker = Worker(
            *(self.store, self.ledger, self.cache, self.console, self.run_id, self.trust),
            *(self.budget, self.elsewhere, self.stop),
        )

    def run(
        self,
        stages: tuple[Stage, ...],
        forced: frozenset[str] = frozenset(),
        read: Iterable[str] = (),
    ) -> dict[str, Done]:
        """Settle all stages; returns them by name, and reports progress meanwhile.

        See ``_run``.
        """
        self._stages |= {stage.name: stage for stage in stages}
        with self.console.board(self._whole):
            return self._run(stages, forced, read)

    def _whole(self, left: Mapping[str, float]) -> Whole:
        return whole(tuple(self._stages.values()), tuple(self.done), self.ledger, left)

    def _run(
        self, stages: tuple[Stage, ...], forced: frozenset[str], read: Iterable[str]
    ) -> dict[str, Done]:
        """Settle all stages; returns them by name.

        ``forced``: run these even if nothing has changed.  ``read``: the caller is about to use
        these outputs, so they are checked against their digests, as a stage's needs are.  A damaged
        output is put aside, and its stage is run again before any stage that needs it.  Raises the
        first failure, with the stage's name and log in it.
        """
        waiting = {stage.name: stage for stage in stages}
        running: set[str] = set()
        ended: queue.Queue[tuple[str, Outcome]] = queue.Queue()
        try:
            while waiting or running or self._doubt(read, waiting, running):
                self._start_ready(waiting, running, ended, forced)
                if not running:
                    continue
                name, outcome = ended.get()
                running.discard(name)
                if isinstance(outcome, Damaged):
                    self._damaged.setdefault(outcome.done.name, outcome)
                    waiting[name] = self._stages[name]
                    continue
                if isinstance(outcome, BaseException):
                    self.failed.add(name)
                    raise outcome
                self._note_done(outcome)
                self.settled(outcome)
        except BaseException as error:
            self._give_up(error, running, ended)
            raise
        self._worker.join()
        return self.done

    def _give_up(
        self,
        error: BaseException,
        running: set[str],
        ended: queue.Queue[tuple[str, Outcome]],
    ) -> None:
        """End what still runs after a failure or an interrupt."""
        if isinstance(error, SourceUnreachable):
            self._hear_out(error, running, ended)
        at_once = isinstance(error, KeyboardInterrupt | Interrupted)
        self._stop_all(running, ended, STOPPING_AT_ONCE if at_once else STOPPING)
        if not at_once:
            self._worker.join()
        if isinstance(error, DiskFull) and not running:
            # What others keep for `invoke shell` only takes space here.
            remove(self.cache.scratch / self.run_id, self.cache.scratch)

    def _start_ready(
        self,
        waiting: dict[str, Stage],
        running: set[str],
        ended: queue.Queue[tuple[str, Outcome]],
        forced: frozenset[str],
    ) -> None:
        ready: list[tuple[Stage, tuple[Input, ...]]] = []
        self._replace_damaged(waiting, running)
        for stage in list(waiting.values()):
            if not all(need in self.done and need not in self._damaged for need in stage.needs):
                continue
            del waiting[stage.name]
            inputs = all_inputs(stage, self.done)
            found = None if stage.name in forced else self._find(stage, inputs)
            if found is not None:
                self.done[stage.name] = found
                self.settled(found)
                continue
            ready.append((stage, inputs))
        self._check([*(stage for stage, _ in ready), *waiting.values()])
        if ready and not self._begun:
            self.begin()
        for stage, inputs in ready:
            self._begun[stage.name] = time.time()
            if self.console.verbose:
                self._tell_why(stage.name, inputs, asked=stage.name in forced)
            running.add(stage.name)
            work = (stage, inputs, stage.name in forced, ended)
            threading.Thread(target=self._run_one, args=work, daemon=True).start()

    def _tell_why(self, stage: str, inputs: tuple[Input, ...], *, asked: bool) -> None:
        why = [f"{stage}: runs, as requested"] if asked else reasons(stage, inputs, self.ledger)
        for line in (*why, f"    log: {self.log(stage)}"):
            self.console.detail(line.replace("would run", "runs"))

    def _check(self, unsettled: list[Stage]) -> None:
        """Before the first stage starts, check that this host can run all remaining stages.

        Those that another machine may have made are checked when they have to run here.
        """
        if not self._checked:
            brings = self.elsewhere.may_bring
            here = (stage for stage in unsettled if not (brings and stage.shared))
            for check in dict.fromkeys(stage.check for stage in here):
                check()
            self._checked = bool(unsettled)

    def _find(self, stage: Stage, inputs: tuple[Input, ...]) -> Done | None:
        key, before = digest.key(inputs), self.done.get(stage.name)
        if before is not None and before.key == key and not before.hit:
            return before  # this very run has made it
        try:
            found = self.store.find(stage.name, key, by_content=stage.by_content)
        except Damaged as damaged:
            self._set_aside(damaged)
            return None
        if found is None:
            return None
        if not self.elsewhere.accepts(found.manifest.origins):
            self.console.say(f"{stage.name}: {NOT_ACCEPTED}; it is made again")
            return None
        self._record(found)
        if stage.shared:
            self.elsewhere.offer(found)
        return found

    def _replace_damaged(self, waiting: dict[str, Stage], running: set[str]) -> None:
        """Put damaged outputs aside that no running stage uses, to be made again."""
        for name, damaged in list(self._damaged.items()):
            if any(name in self._stages[one].needs for one in running):
                continue
            del self._damaged[name]
            if self.done.get(name) is damaged.done:
                del self.done[name]
                self._set_aside(damaged)
                waiting[name] = self._stages[name]

    def _doubt(self, read: Iterable[str], waiting: dict[str, Stage], running: set[str]) -> bool:
        """Read what the caller is about to use; returns whether something must be made again."""
        for name in read:
            try:
                self.trust.require(self.done[name])
            except Damaged as damaged:
                self._damaged[name] = damaged
        self._replace_damaged(waiting, running)
        return bool(waiting)

    def _set_aside(self, damaged: Damaged) -> None:
        """Put a damaged output aside.  Raises VerificationError if that does not help."""
        name = damaged.done.name
        if name in self._made_anew:
            raise VerificationError(
                f"the output of {name} changes after it was made",
                f"{damaged.cause}\nit was already made again in this run",
                f"check the disk and its file system: df -T {shlex.quote(str(self.cache.root))}",
            )
        self._made_anew.add(name)
        kept = self.store.set_aside(damaged.done)
        self.trust.note_damaged(damaged.done)
        self.console.say(
            f"{damaged.done.name}: its output in the cache has changed since it was made: "
            f"{damaged.fault}; kept as {kept}, and made anew"
        )

    def _record(self, done: Done) -> None:
        manifest = done.manifest
        origin = manifest.provenance
        seconds = origin.seconds if origin else manifest.seconds  # what running it takes
        self.ledger.record(done.name, Entry(done.key, manifest.inputs, seconds, manifest.facts))

    def unfinished(self) -> dict[str, float | None]:
        """Stages that are wanted and not settled: when each was started, None if it never was."""
        return {name: self._begun.get(name) for name in self._stages if name not in self.done}

    def log(self, stage: str) -> Path:
        """Where a stage that runs writes its log."""
        return self._worker.log(stage)

    def output(self, stage: str) -> Path:
        """What a stage that runs, or has failed, has put out so far."""
        return self._worker.output(stage)

    def _run_one(
        self,
        stage: Stage,
        inputs: tuple[Input, ...],
        asked: bool,
        ended: queue.Queue[tuple[str, Outcome]],
    ) -> None:
        outcome: Outcome
        try:
            outcome = self._perform(stage, inputs, asked=asked)
        except Exception as error:
            outcome = fulldisk.told(error, fulldisk.places(self.cache))
            if isinstance(outcome, BuilderError):
                outcome.stage = outcome.stage or stage.name
                outcome.log = outcome.log or self.log(stage.name)
        except BaseException as error:  # handed to the main thread, which raises it
            outcome = error
        ended.put((stage.name, outcome))

    def _perform(self, stage: Stage, inputs: tuple[Input, ...], *, asked: bool) -> Done:
        done = self._worker.perform(stage, inputs, self.done, asked=asked)
        self.trust.note_made(stage, done, self.done)
        self._record(done)
        return done

    def _note_done(self, done: Done) -> None:
        self.done[done.name] = done
        took, origin = span(done.manifest.seconds), done.manifest.provenance
        words = f"here in {took}, {origin}" if origin else f"done in {took}"
        self.console.say(f"{self.console.position()}{done.name}: {words}", Tone.GOOD)

    def _hear_out(
        self,
        error: SourceUnreachable,
        running: set[str],
        ended: queue.Queue[tuple[str, Outcome]],
    ) -> None:
        """Let other sources that cannot be reached report it, too, so that one error names all."""
        deadline = time.monotonic() + HEARD_OUT
        while running:
            try:
                name, outcome = ended.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                return
            running.discard(name)
            if isinstance(outcome, Done):
                self._note_done(outcome)
            elif isinstance(outcome, SourceUnreachable):
                self.failed.add(name)
                error.add(outcome)

    def _stop_all(
        self, running: set[str], ended: queue.Queue[tuple[str, Outcome]], seconds: float
    ) -> None:
        """End what still runs; a stage that succeeds in the meantime stays finished.

        One that does not notice in time ends with this process: its output is not there yet.
        """
        self.stop.set()
        deadline = time.monotonic() + seconds
        while running and time.monotonic() < deadline:
            self.stop_work()
            try:
                name, outcome = ended.get(timeout=POLL)
            except queue.Empty:
                continue
            running.discard(name)
            if isinstance(outcome, Done):
                self._note_done(outcome)
