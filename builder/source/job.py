"""One source to be fetched, with all that this takes."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from builder.host.paths import Cache, Project
from builder.source.expected import Expected
from builder.source.known import valid_pins
from builder.source.lock import Pin, SourcesLock
from builder.source.model import Bounds, Source
from builder.source.store import Damage
from builder.source.variant import Choice, known

if TYPE_CHECKING:
    from builder.console import Console


@dataclass(frozen=True)
class Job:
    """One source to be fetched, with all that this takes (see ``fetch.fetch``).

    ``damages``: what the cache had of it, and was put aside.
    """

    source: Source
    cache: Cache
    project: Project
    lock: SourcesLock
    console: Console
    locked: bool
    update: bool
    bounds: Bounds
    stop: threading.Event
    damages: tuple[Damage, ...] = ()
    expected: Expected = field(default_factory=Expected)

    @property
    def pins(self) -> dict[str, Pin]:
        """The pins to be held to: none of them while updating."""
        return {} if self.update else valid_pins(self.source, self.lock)

    @property
    def choice(self) -> Choice:
        """The digests that the bytes may have, none if this is their first use."""
        return Choice(self.source, known(self.source, self.pins), self.locked)
