"""A run's folder is its own while it lives, and swept by its own profile when it is dead."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from builder.console import Console
from builder.host.lock import hold_if_free
from builder.host.paths import Cache, Project
from builder.pipeline import run

QUIET = Console(io.StringIO(), interactive=False)
OWNER = """
import sys
from pathlib import Path
from builder.console import Console
from builder.host.paths import Cache
from builder.pipeline import run
with run.owned(Cache(Path(sys.argv[1])), sys.argv[2], sys.argv[3], Console()) as folder:
    (folder / "work").mkdir(parents=True)
    print("owned", flush=True)
    sys.stdin.read()
"""


@contextmanager
def owner(cache: Cache, profile: str, name: str) -> Iterator[subprocess.Popen[str]]:
    """A process that works in a run's folder until it is killed."""
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, cache.root, profile, name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "owned\n"
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("profile", ["lts", "lts-x"])
def test_the_folder_of_a_run_that_goes_on_is_not_swept(tmp_path: Path, profile: str) -> None:
    cache = Cache(tmp_path)
    with owner(cache, profile, "r1"):
        run.sweep(cache, "lts")
        assert (cache.scratch / profile / "r1" / "work").is_dir()
        assert run.dead(cache, profile) == []


def test_a_dead_run_is_swept_by_its_own_profile_alone(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    with owner(cache, "lts-x", "r1") as process:
        process.kill()
        process.wait(10)
    folder = cache.scratch / "lts-x" / "r1"
    run.sweep(cache, "lts")
    assert run.dead(cache, "lts-x") == [folder]
    run.sweep(cache, "lts-x", run.LAB)
    assert folder.is_dir(), "a lab sweeps labs: a failed stage may still be entered"
    run.sweep(cache, "lts-x")
    assert not folder.exists()
    assert list(cache.locks.rglob("*.lock")) == []


def test_a_shell_in_a_failed_run_keeps_it(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    (cache.scratch / "lts" / "r1").mkdir(parents=True)
    with hold_if_free(run.run_lock(cache, "lts", "r1"), shared=True) as free:
        assert free
        run.sweep(cache, "lts")
        assert (cache.scratch / "lts" / "r1").is_dir()
    run.sweep(cache, "lts")
    assert not (cache.scratch / "lts" / "r1").exists()


def test_a_run_that_removed_its_folder_leaves_no_lock(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    with run.owned(cache, "lts", "r1", QUIET):
        pass
    assert list(cache.locks.rglob("*.lock")) == []


def test_logs_of_a_profile_are_kept_up_to_a_number(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    for profile in ("lts", "lts-x"):
        for number in range(run.KEPT_LOGS + 5):
            (cache.logs / profile / f"20261126-0000{number:02}-1").mkdir(parents=True)
    run.sweep_logs(cache, "lts")
    kept = sorted(path.name for path in (cache.logs / "lts").iterdir())
    assert len(kept) == run.KEPT_LOGS
    assert kept[0] == "20261126-000005-1"
    assert len(list((cache.logs / "lts-x").iterdir())) == run.KEPT_LOGS + 5


def test_killed_removals_are_finished_everywhere(tmp_path: Path) -> None:
    cache, project = Cache(tmp_path / "cache"), Project(tmp_path / "project")
    places = (
        *(cache.root, cache.scratch, cache.scratch / "lts", cache.stages, cache.partial),
        cache.engine,
        *(cache.stages / "build-kernel", cache.logs, cache.logs / "lts"),
        *(project.results, project.results / "lts", project.results / "lts" / "tree"),
    )
    for place in places:
        (place / ".x.removed-1-0" / "inner").mkdir(parents=True)
        (place / "kept").mkdir(exist_ok=True)
    run.sweep_removals(cache, project, "lts")
    run.sweep(cache, "lts")
    assert list(tmp_path.rglob(".x.removed-*")) == []
    assert all((place / "kept").is_dir() for place in places if place.parent != cache.scratch)
