"""The profile lts, built once for all tests that look at what came out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from builder.commands import produce
from builder.commands.session import Request
from builder.console import Console
from builder.host.paths import Cache, find_project
from builder.pipeline.stage import Done

REQUEST = Request("lts", "vm", locked=True)


@dataclass(frozen=True)
class Built:
    """What the first run settled, and where its results are."""

    done: dict[str, Done]
    artifacts: Path
    cache: Cache


@pytest.fixture(scope="session")
def built(pipeline_cache: Path) -> Built:
    project, cache = find_project(), Cache(pipeline_cache)
    done = produce.produce(
        REQUEST, produce.everything, project=project, cache=cache, console=Console()
    )
    return Built(done, project.artifacts("lts"), cache)
