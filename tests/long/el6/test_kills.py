"""The late stages are killed one after the other, and the way goes on to its end each time."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tests.small.el6.test_whole_way import Small, key, small, sources
from tests.support.mishaps.traces import Traces
from tests.support.mishaps.waiting import Listener

__all__ = ["key", "small", "sources"]  # fixtures

pytestmark = [
    pytest.mark.engine,
    pytest.mark.registry,
    pytest.mark.guest,
    pytest.mark.timeout(900),
]


def has_files(scratch: Path, stage: str) -> bool:
    """Whether a run's stage has a file; folders that are renamed meanwhile have none."""
    runs = scratch.iterdir() if scratch.is_dir() else ()
    return any(files for run in runs for _, _, files in os.walk(run / stage))


def kill_at(small: Small, stage: str) -> str:
    """Build, and kill the run as soon as a stage has files of its own; what was said."""
    process = small.project.start("build", "--profile", "el6")
    listener = Listener(process)
    listener.wait_for(f"{stage}: started")
    folder = small.project.cache / "scratch" / "el6"
    while process.poll() is None and not has_files(folder, stage):
        time.sleep(0.02)
    process.kill()
    process.wait(30)
    return listener.text


def test_repository_image_and_verdict_are_gone_on_with(small: Small) -> None:
    before = Traces.now(small.project.cache)
    for stage, finished in (("repo", ""), ("vm", "build:kernel"), ("smoke", "repo")):
        said = kill_at(small, stage)
        before.require_unchanged()
        assert f"{stage}: done" not in said, "it was killed too late"
        assert not finished or f"{finished}: started" not in said
    ended = small.run("build")
    assert ended.status == 0, ended.errors
    assert "vm: started" not in ended.errors
    assert "smoke: done" in ended.errors
    before.require_unchanged()
    assert list((small.project.cache / "scratch" / "el6").iterdir()) == []
