"""A command that only reads leaves a cache of an earlier version as it is."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest

from builder.commands import shell, verify
from builder.console import Console
from builder.errors import BuilderError
from builder.host import ownership
from builder.host.paths import Cache, Project
from builder.place import Place
from tests.unit.host.test_ownership import earlier, use


def _verify(place: Place) -> None:
    verify.verify(None, place, fix=False)


def _enter(place: Place) -> None:
    shell.enter("build:kernel", place)


@pytest.mark.parametrize("command", [_verify, _enter])
@pytest.mark.parametrize("layout", [0, 1])
def test_who_only_reads_takes_nothing_over(
    tmp_path: Path, command: Callable[[Place], None], layout: int
) -> None:
    cache = Cache(tmp_path / "cache")
    if layout:
        use(cache)
        mark = cache.root / ownership.MARK
        mark.write_text(mark.read_text().replace(f":{ownership.LAYOUT}", f":{layout}"))
        (cache.scratch / "lts/run/work").mkdir(parents=True)
        (cache.stages / "image-build/abc").mkdir(parents=True)
    else:
        earlier(cache.root)
    assert ownership.is_outdated(cache)
    project = Project(tmp_path / "project")
    project.specs.mkdir(parents=True)
    before = _seen(cache)
    with pytest.raises(BuilderError):  # there is no such failed stage; an output has no manifest
        command(Place(project, cache, Console(io.StringIO(), interactive=False)))
    assert _seen(cache) == before
    assert ownership.is_outdated(cache)


def _seen(cache: Cache) -> list[Path]:
    """All in it but its locks."""
    return sorted(path for path in cache.root.rglob("*") if "locks" not in path.parts)
