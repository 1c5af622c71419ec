"""The profile lts, built once for all tests that look at what came out.

It is built from a copy of the project, whose pins are renewed where Debian has them no longer.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from builder.commands import produce
from builder.console import Console
from builder.host.paths import Cache, Project
from builder.pipeline.stage import Done
from builder.place import Place
from builder.stages.request import Request
from tests import renewal

REQUEST = Request("lts", "vm", locked=True)


@dataclass(frozen=True)
class Built:
    """What the first run settled, and where its results are.

    ``newer``: what was built newer than the checkout's pins, which Debian has no longer.
    """

    done: dict[str, Done]
    artifacts: Path
    cache: Cache
    project: Project
    newer: tuple[str, ...]


@pytest.fixture(scope="session")
def built(pipeline_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Built:
    project, cache = (
        renewal.scratch(tmp_path_factory.mktemp("lts") / "project"),
        Cache(pipeline_cache),
    )
    newer = renewal.renew(project, "lts", cache, Console())
    done = produce.produce(REQUEST, produce.everything, Place(project, cache, Console()))
    return Built(done, project.artifacts("lts"), cache, project, newer)
