"""The store in one run: finished stages are taken from it, and those of this machine pushed.

Whatever the store does, the build goes on.  An entry that cannot be used is reported and set aside,
and a store that does not answer as it should is not asked again in the run.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from builder.console import Console
from builder.errors import BuilderError, Interrupted
from builder.pipeline.elsewhere import BroughtOutput, Wanted, stages_of
from builder.pipeline.stage import Done
from builder.remote.exchange import StoreExchange, StorePatience
from builder.remote.model import StageStore
from builder.remote.pace import StorePace
from builder.remote.pushing import Pusher, Unpackable
from builder.remote.reading import Unusable
from builder.remote.signing import Unsigned
from builder.remote.taking import Taker
from builder.shown import without_secrets
from builder.source.limit import LocationFailed

_POLL = 0.2  # seconds
_AT_ONCE = 0.4  # seconds, while a user waits at the terminal
GRACE, EACH = 60.0, 2.0
"""Seconds that a run may wait for the store, and for each request, beside the archives' own."""
_FAILURES = (LocationFailed, Unsigned, BuilderError, OSError)


@dataclass
class RemoteStages:
    """See ``builder.pipeline.elsewhere``.  ``close`` must be called at the end of the run.

    ``scratch``: a folder of the run's own.  ``aside``: where archives are kept that are not what
    was signed.
    """

    store: StageStore
    console: Console
    scratch: Path
    aside: Path
    patience: StorePatience = field(default_factory=StorePatience)
    _pace: StorePace = field(default_factory=lambda: StorePace(GRACE, EACH))
    _guard: threading.Lock = field(default_factory=threading.Lock)
    _is_lost: bool = False
    _pushes: bool = True
    _faulty: set[str] = field(default_factory=set)
    _offered: queue.Queue[Done | None] = field(default_factory=queue.Queue)
    _stop: threading.Event = field(default_factory=threading.Event)
    _worker: threading.Thread | None = None

    @property
    def may_bring(self) -> bool:
        """Whether the store is asked."""
        return bool(self.store.accept) and not self._is_lost

    def bring(self, wanted: Wanted) -> BroughtOutput | None:
        """Fill the folder from the store; None if that is not possible."""
        if not self.may_bring:
            return None
        exchange = StoreExchange(self.store.http, self.patience, wanted.stop, self._pace)
        try:
            return Taker(exchange, self.store.accept, self.console, self.aside).take(wanted)
        except Interrupted:
            raise
        except Unusable as fault:
            self._faulty.add(wanted.stage)
            entry = f"{wanted.stage}: the stage store's entry is not used"
            self.console.warn(f"{entry}: {_line(str(fault))}; it is built here")
        except _FAILURES as failure:
            self._lose(failure)
        return None

    def offer(self, done: Done) -> None:
        """Push an output of this machine, in a thread of its own."""
        if self.store.sign is None or done.manifest.provenance is not None:
            return
        with self._guard:
            if self._worker is None:
                self._worker = threading.Thread(target=self._work, daemon=True)
                self._worker.start()
        self._offered.put(done)

    def accepts(self, origins: Collection[str]) -> bool:
        """Whether all keys that vouch for an output are accepted still."""
        return {key.fingerprint for key in self.store.accept}.issuperset(stages_of(origins))

    def close(self, *, at_once: bool = False) -> None:
        """Wait until everything that was offered is pushed; ``at_once``: give it up."""
        if self._worker is None:
            return
        self._offered.put(None)
        if at_once:
            self._stop.set()
            self._worker.join(_AT_ONCE)
            return
        try:
            while self._worker.is_alive():
                self._worker.join(_POLL)
        except KeyboardInterrupt:
            self._stop.set()
            raise

    def _work(self) -> None:
        while (done := self._offered.get()) is not None:
            if self._pushes and not self._is_lost and not self._stop.is_set():
                self._push(done)

    def _push(self, done: Done) -> None:
        assert self.store.sign is not None  # noqa: S101 - see offer
        exchange = StoreExchange(self.store.http, self.patience, self._stop, self._pace)
        try:
            pusher = Pusher(exchange, self.store.sign, self.store.accept, self.scratch)
            size = pusher.push(done, anew=done.name in self._faulty)
        except Interrupted:
            return
        except Unpackable as reason:
            self.console.detail(f"{done.name}: not pushed to the stage store: {reason}")
        except _FAILURES as failure:
            self._pushes = False
            words = f"{done.name}: not pushed to the stage store: {_told(failure)}"
            self.console.warn(f"{words}; nothing more is pushed in this run")
        else:
            if size is not None:
                self.console.say(f"{done.name}: the stage store got it, {size / 1e6:.1f} MB")

    def _lose(self, failure: Exception) -> None:
        with self._guard:
            said, self._is_lost = self._is_lost, True
        if not said:
            shown = without_secrets(self.store.url)
            self.console.warn(
                f"the stage store {shown} is not used in this run: {_told(failure)}; "
                "everything is built here"
            )


def _told(failure: Exception) -> str:
    hint = failure.hint if isinstance(failure, BuilderError) else ""
    return _line(f"{failure}; {hint}" if hint else str(failure))


def _line(words: str) -> str:
    return " / ".join(words.splitlines())
