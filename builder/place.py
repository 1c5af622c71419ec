"""The place of a command: its project, its cache and its console."""

from __future__ import annotations

from dataclasses import dataclass

from builder.console import Console
from builder.host.paths import Cache, Project


@dataclass(frozen=True)
class Place:
    """The checkout that a command reads, the cache that it keeps its work in, its console."""

    project: Project
    cache: Cache
    console: Console
