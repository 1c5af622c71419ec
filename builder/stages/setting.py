"""What a run was asked for, and the things that all its stages may use."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from builder.console import Console
from builder.host.paths import Cache, Project
from builder.pipeline.code import Code
from builder.profile.build import Build
from builder.rpm.rendered import RenderedSpecs

if TYPE_CHECKING:
    from builder.engine import Engine
    from builder.relay.relay import Relay
    from builder.stages.others import Workers


class Setting(msgspec.Struct, frozen=True):
    """One run's choices.  ``build``: what they come to.

    ``engine`` connects on first use and is shared by all stages.  ``jobs``: folder of the job
    budget's pipe.  ``locked``: unpinned sources are refused.  ``code``: of the builder itself.
    ``rendered``: digests of specs.  ``relay``: to the team's compiler cache, and ``workers``: who
    compile for this machine, None if none are used.
    """

    build: Build
    locked: bool
    project: Project
    cache: Cache
    console: Console
    engine: Callable[[], Engine]
    jobs: Callable[[], Path]
    code: Code
    rendered: RenderedSpecs
    relay: Callable[[], Relay | None] = lambda: None
    workers: Callable[[], Workers | None] = lambda: None

    @property
    def specs(self) -> Path:
        return self.project.specs / self.build.profile

    @property
    def patches(self) -> Path:
        return self.project.patches / self.build.profile
