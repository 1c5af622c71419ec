"""A cache, a project and a lock in a temporary folder, and fetching with them."""

from __future__ import annotations

import io
import threading
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from builder.console import Console
from builder.digest import Digest
from builder.host.paths import Cache, Project
from builder.source.fetch import fetch
from builder.source.model import Bounds, Fetched, Location, Source
from builder.source.pins import SourcesLock, open_lock

QUICK = Bounds(connect=2.0, stall=0.4, total=5.0, attempts=3, backoff=0.02, retry_after=1.0)
# For a registry that really serves, on a machine that has other work.
PATIENT = msgspec.structs.replace(QUICK, stall=60.0, total=300.0)


@dataclass
class Site:
    """Where a test's fetches happen."""

    root: Path
    said: io.StringIO = field(default_factory=io.StringIO)

    @property
    def cache(self) -> Cache:
        return Cache(self.root / "cache")

    @property
    def project(self) -> Project:
        return Project(self.root / "project")

    @property
    def lock(self) -> SourcesLock:
        return open_lock(self.project, "lts")

    @property
    def console(self) -> Console:
        return Console(stream=self.said, interactive=False)

    @property
    def leftovers(self) -> list[str]:
        """What lies in the folder for downloads under way."""
        folder = self.cache.partial
        return sorted(path.name for path in folder.iterdir()) if folder.exists() else []

    def fetch(
        self,
        source: Source,
        *,
        locked: bool = False,
        update: bool = False,
        bounds: Bounds | None = None,
        stop: threading.Event | None = None,
    ) -> Fetched:
        return fetch(
            source,
            cache=self.cache,
            project=self.project,
            lock=self.lock,
            console=self.console,
            locked=locked,
            update=update,
            bounds=bounds or (PATIENT if _asks_apt(source) else QUICK),
            stop=stop,
        )

    def drop_in(self, name: str, data: bytes) -> None:
        self.project.dropin.mkdir(parents=True, exist_ok=True)
        (self.project.dropin / name).write_bytes(data)


def _asks_apt(source: Source) -> bool:
    return any(location.scheme.startswith("apt") for location in source.locations)


def source_of(
    *urls: str, sha256: str | None = None, max_bytes: int = 1 << 24, name: str = "tool"
) -> Source:
    """A source with these locations."""
    digest = None if sha256 is None else Digest(sha256)
    return Source(name, f"{name}.tar", tuple(map(Location, urls)), digest, max_bytes)
