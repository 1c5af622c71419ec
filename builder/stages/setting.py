"""What a run was asked for, and the things that all its stages may use."""

from __future__ import annotations

import calendar
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from builder.base import Base, load_base
from builder.console import Console
from builder.host.paths import Cache, Project
from builder.pipeline import digest
from builder.pipeline.digest import Input
from builder.profile.model import Component, Flavour, Profile

if TYPE_CHECKING:
    from builder.engine import Engine

DATE_FORMAT = "%a %b %d %Y"


@dataclass(frozen=True)
class Setting:
    """One run's choices.  ``engine`` connects on first use and is shared by all stages.

    ``jobs``: folder of the job budget's pipe.  ``locked``: unpinned sources are refused.
    """

    profile: Profile
    flavour_name: str
    base: str
    locked: bool
    project: Project
    cache: Cache
    console: Console
    engine: Callable[[], Engine]
    jobs: Callable[[], Path]

    @property
    def flavour(self) -> Flavour:
        return self.profile.flavour[self.flavour_name]

    @property
    def specs(self) -> Path:
        return self.project.specs / self.profile.name

    @property
    def patches(self) -> Path:
        return self.project.patches / self.profile.name

    @property
    def base_folder(self) -> Path:
        return self.project.bases / self.base

    def load_base(self) -> Base:
        """The base, with the guest root that the profile asks for; raises UsageError."""
        return load_base(self.base_folder, self.profile.init)

    @property
    def epoch(self) -> int:
        """SOURCE_DATE_EPOCH: midnight UTC of the changelog's date, as rpmbuild has it."""
        return calendar.timegm(time.strptime(self.profile.changelog.date, DATE_FORMAT))

    def release(self, component: Component) -> str:
        """The release, with the flavour's suffix where it makes a difference."""
        return component.release + (self.flavour.suffix if component.flavoured else "")

    def recipe(self, *paths: str) -> tuple[Input, ...]:
        """Inputs for the parts of this program that decide a stage's output."""
        root = self.project.root
        return digest.files("recipe", root, (root / "builder" / path for path in paths))
