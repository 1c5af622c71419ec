"""Which finished outputs are known in this run to be what came out when their stages ran.

What was made in this run is, and what has been read whole.  A stage that has carried over
another's files unread is as good as that one.
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
        """Read what ``stage`` needs, each output once a run.  Raises Damaged for a bad one.

        What it only carries over is left to those who read it, unless they had to complain.
        """
        for need in stage.needs:
            if need not in stage.carries or stage.name in self._doubted:
                self.require(done[need])

    def require(self, done: Done) -> None:
        """Read an output if that has not been done yet.  Raises Damaged if it is a bad one."""
        with self._guards[done.name]:
            if not self._is_sound(done):
                self.store.require(done, stop=self.stop)
                self._sound.add((done.name, done.key))

    def note_made(self, stage: Stage, made: Done, done: Mapping[str, Done]) -> None:
        """A stage of this run has succeeded."""
        if all(self._is_sound(done[need]) for need in stage.carries):
            self._sound.add((made.name, made.key))

    def note_damaged(self, done: Done) -> None:
        """An output is to be made anew, of needs that are read this time."""
        self._sound.discard((done.name, done.key))
        self._doubted.add(done.name)

    def _is_sound(self, done: Done) -> bool:
        return (done.name, done.key) in self._sound
