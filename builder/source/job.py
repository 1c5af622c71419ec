"""One source to be fetched, with everything that is needed for it."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from builder.digest import Digest
from builder.host.paths import Cache, Project
from builder.source import verification
from builder.source.accepted import Acceptance
from builder.source.expected import Expected
from builder.source.known import valid_pins
from builder.source.model import Bounds, Fetched, Source
from builder.source.pins import Pin, SourcesLock
from builder.source.store import Damage
from builder.source.variant import Choice, known

if TYPE_CHECKING:
    from builder.console import Console


@dataclass(frozen=True)
class Job:
    """One source to be fetched, with everything that is needed for it (see ``fetch.fetch``).

    ``damages``: its damaged files in the cache, which were put aside.
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
    acceptance: Acceptance | None = None

    @property
    def pins(self) -> dict[str, Pin]:
        """The pins that must hold; none while updating."""
        return {} if self.update else valid_pins(self.source, self.lock)

    @property
    def choice(self) -> Choice:
        """The digests that the bytes may have, none if this is their first use."""
        return Choice(self.source, known(self.source, self.pins), self.locked)

    def vouch(self, path: Path, sha256: Digest) -> str:
        """Who vouches for these bytes; raises as ``verification.vouch``."""
        return verification.vouch(
            self.source,
            path,
            sha256,
            project=self.project,
            lock=self.lock,
            acceptance=self.acceptance,
        )

    def verified(self, found: Fetched, words: str) -> Fetched:
        """The same with how it was verified."""
        told = verification.describe(words, self.source, found.sha256, self.lock)
        return msgspec.structs.replace(found, verified=told)
