"""The small project of ``tests.world``, on which commands run in the test's own process.

It has a cache of its own and no engine: sources, trees and series need none.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from builder.commands import produce
from builder.console import Console
from builder.host.paths import Cache, Project
from builder.pipeline.stage import Done
from builder.pipeline.stagename import StageKind
from builder.place import Place
from builder.stages.request import Request
from builder.stages.session import Session, open_session
from tests.support.pipeline import known
from tests.world import ROOT, World, add_profile

PROFILE = "small"
REQUEST = Request(PROFILE)


@dataclass
class Desk:
    """A project with the profile ``small``, and what its commands have said."""

    world: World
    said: io.StringIO = field(default_factory=io.StringIO)

    @property
    def project(self) -> Project:
        return Project(self.world.project)

    @property
    def cache(self) -> Cache:
        return Cache(self.world.cache)

    @property
    def place(self) -> Place:
        return Place(self.project, self.cache, Console(self.said, interactive=False))

    @property
    def file(self) -> Path:
        return self.project.specs / PROFILE / "profile.toml"

    @property
    def lock(self) -> Path:
        return self.file.with_name("sources.lock")

    def one(self, pattern: str) -> Path:
        """The only path in the cache that matches."""
        (found,) = self.cache.root.glob(pattern)
        return found

    def prepare(self) -> dict[str, Done]:
        """Fetch, unpack and patch the tool's source."""
        with self.knowing():
            return produce.produce(REQUEST, produce.only(StageKind.PREP, ()), self.place)

    @contextmanager
    def session(self, request: Request = REQUEST) -> Iterator[Session]:
        with self.knowing(), open_session(request, self.place) as session:
            yield session

    @contextmanager
    def knowing(self) -> Iterator[None]:
        with known.knowing(self.cache, self.place.console):
            yield


def make(folder: Path) -> Desk:
    """A new project in ``folder``, beside its cache."""
    project = folder / "project"
    project.mkdir(parents=True)
    for name in ("builder", "dockerfiles"):
        (project / name).symlink_to(ROOT / name)
    world = World(project, folder / "cache")
    add_profile(world)
    return Desk(world)
