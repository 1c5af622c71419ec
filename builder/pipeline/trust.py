"""Which finished outputs this run knows to be unchanged since their stages ran.

These are the outputs that were made in this run or have been read completely.  A stage that carried
over another stage's files unread is only as good as that stage.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from builder.digest import Digest
from builder.pipeline.stage import Done, Stage
from builder.pipeline.store import Store


@dataclass
class Trust:
    """One run's knowledge; may be shared by threads."""

    store: Store
    stop: threading.Event
    _sound: set[tuple[str, Digest]] = field(default_factory=set)
    _doubted: set[str] = field(default_factory=set)
    _guards: defaultdict[str, threading.Lock] = field(
        default_factory=lambda: defaultdict(threading.Lock)
    )

    def require_needs(self, stage: Stage, done: Mapping[str, Done]) -> None:
        """Read what ``stage`` needs, each output once in a run.  Raises Damaged for a bad output.

        Outputs that it only carries over are left to the stages that read them, unless its own
        output was damaged.
        """
        for need in stage.needs:
            if need not in stage.carries or stage.name in self._doubted:
                self.require(done[need])

    def require(self, done: Done) -> None:
        """Read an output if that has not been done yet.  Raises Damaged if it is bad."""
        with self._guards[done.name]:
            if not self._is_sound(done):
                self.store.require(done, stop=self.stop)
                self._sound.add((done.name, done.key))

    def note_made(self, stage: Stage, made: Done, done: Mapping[str, Done]) -> None:
        """A stage of this run has succeeded."""
        if all(self._is_sound(done[need]) for need in stage.carries):
            self._sound.add((made.name, made.key))

    def note_damaged(self, done: Done) -> None:
        """Note that an output must be made again, from needs that are read this time."""
        self._sound.discard((done.name, done.key))
        self._doubted.add(done.name)

    def _is_sound(self, done: Done) -> bool:
        return (done.name, done.key) in self._sound
