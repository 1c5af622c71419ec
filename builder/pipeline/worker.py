"""Lets one stage have its output: brought from another machine, or made by running it here."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from builder.console import Console
from builder.host.listing import Listing
from builder.host.paths import Cache
from builder.host.removal import remove
from builder.pipeline import digest
from builder.pipeline.budget import Budget
from builder.pipeline.digest import Input
from builder.pipeline.elsewhere import Elsewhere, Wanted
from builder.pipeline.estimate import expect
from builder.pipeline.facts import NONE, Facts
from builder.pipeline.ledger import Ledger
from builder.pipeline.needs import all_inputs
from builder.pipeline.stage import Done, Stage, Work
from builder.pipeline.stagename import folder_of
from builder.pipeline.store import OUTPUT, Store
from builder.pipeline.trust import Trust

_DONE = "done"
_WORK = "work"


@dataclass
class Worker:
    """Works in the run's folders; may be shared by threads.  See ``Schedule`` for its fields."""

    store: Store
    ledger: Ledger
    cache: Cache
    console: Console
    run_id: str
    trust: Trust
    budget: Callable[[], Budget]
    elsewhere: Elsewhere
    stop: threading.Event
    _sweepers: list[threading.Thread] = field(default_factory=list)

    def log(self, stage: str) -> Path:
        """Where a stage that runs writes its log."""
        return self.cache.logs / self.run_id / f"{folder_of(stage)}.log"

    def output(self, stage: str) -> Path:
        """What a stage that runs, or has failed, has put out so far."""
        return self._folder(stage) / _DONE / OUTPUT

    def perform(
        self, stage: Stage, inputs: tuple[Input, ...], done: Mapping[str, Done], *, asked: bool
    ) -> Done:
        """The finished output of a stage, in its place.  Raises what the stage raises.

        ``asked``: it must run here, whatever other machines have.
        """
        found = None if asked or not stage.shared else self._bring(stage, inputs)
        if found is None:
            if stage.shared:
                stage.check()  # it was put off while another machine might have the output
            found = self._run(stage, inputs, done)
            if stage.shared:
                self.elsewhere.offer(found)
        self._throw_away(self._folder(stage.name))
        return found

    def join(self) -> None:
        """Wait until the finished stages' scratch is removed."""
        for sweeper in self._sweepers:
            sweeper.join()

    def _bring(self, stage: Stage, inputs: tuple[Input, ...]) -> Done | None:
        """The output that another machine has made, in its place; None if there is none."""
        started, folder = time.time(), self._empty(stage.name)
        wanted = Wanted(
            *(stage.name, digest.key(inputs), folder / _DONE / OUTPUT, folder / _WORK, self.stop)
        )
        with self.console.stage(stage.name, 0.0):
            brought = self.elsewhere.bring(wanted)
        if brought is None:
            return None
        log, origin = self.log(stage.name), brought.provenance
        log.parent.mkdir(parents=True, exist_ok=True)
        made = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(origin.made))
        log.write_text(
            f"{stage.name} was not run here: its output came {origin}.\n"
            f"It was begun at {made}, and took {origin.seconds:.1f} s, with version "
            f"{origin.builder}.\nkey: {wanted.key}\ncontent: {brought.listing.digest}\n",
            encoding="utf-8",
        )
        return self.store.commit(
            stage.name,
            inputs,
            folder / _DONE,
            listed=stage.listed,
            by_content=stage.by_content,
            started=started,
            facts=brought.facts,
            log=log,
            listing=brought.listing,
            provenance=origin,
            origins=(origin.key,),
        )

    def _run(self, stage: Stage, inputs: tuple[Input, ...], settled: Mapping[str, Done]) -> Done:
        self.trust.require_needs(stage, settled)
        slot = self.budget().slot(self.stop) if stage.slot else nullcontext()
        expected = expect(stage, self.ledger)
        with slot, self.console.stage(stage.name, expected.seconds):
            self.console.say(f"{stage.name}: started")
            started, folder = time.time(), self._empty(stage.name)
            told: list[Facts] = []
            stated: list[Listing] = []
            origins = [one for need in stage.needs for one in settled[need].manifest.origins]
            log = self.log(stage.name)
            log.parent.mkdir(parents=True, exist_ok=True)
            stage.run(
                Work(
                    output=folder / _DONE / OUTPUT,
                    scratch=folder / _WORK,
                    log=log,
                    needs={name: settled[name] for name in stage.needs},
                    note=told.append,
                    stop=self.stop,
                    state=stated.append,
                    owe=origins.append,
                )
            )
            if stage.late:  # a source that was pinned by this very run
                inputs = all_inputs(stage, settled)
            return self.store.commit(
                stage.name,
                inputs,
                folder / _DONE,
                listed=stage.listed,
                by_content=stage.by_content,
                started=started,
                facts=told[-1] if told else NONE,
                log=log,
                listing=stated[-1] if stated else None,
                origins=origins,
            )

    def _folder(self, stage: str) -> Path:
        return self.cache.scratch / self.run_id / folder_of(stage)

    def _empty(self, stage: str) -> Path:
        """The stage's folder, with nothing in it but empty folders for output and work."""
        folder = self._folder(stage)
        remove(folder, self.cache.scratch)
        (folder / _DONE / OUTPUT).mkdir(parents=True)
        (folder / _WORK).mkdir()
        return folder

    def _throw_away(self, folder: Path) -> None:
        """Remove a finished stage's scratch while the next stages run: it may have many files."""
        sweeper = threading.Thread(target=remove, args=(folder, self.cache.scratch), daemon=True)
        sweeper.start()
        self._sweepers.append(sweeper)
