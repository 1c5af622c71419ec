"""Root's own umask, and that of whoever made the checkout, change nothing."""

from __future__ import annotations

import os
import shlex
import time
from pathlib import Path

import pytest

from tests.world import SOURCE, Outcome, World

pytestmark = [
    pytest.mark.engine,
    pytest.mark.timeout(900),
    pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user's builds run as that user"),
]
BUILD = ("build", "--profile", "small", "--only", "tool")


def run_under(umask: int, small: World) -> Outcome:
    words = shlex.join(small.command(*BUILD))
    return small.run_words("sh", "-c", f"umask {umask:03o}; exec {words}")


def close(folder: Path, umask: int) -> None:
    """What a checkout or a cache looks like that was made under ``umask``."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode & 0o777 & ~umask)


@pytest.mark.parametrize("umask", [0o027, 0o077])
def test_a_checkout_and_a_build_under_a_close_umask_work(small: World, umask: int) -> None:
    small.write_source({**SOURCE, "ID": str(time.time_ns())})
    close(small.project, umask)
    ended = run_under(umask, small)
    assert ended.status == 0, ended.errors
    assert small.leavings() == []


@pytest.mark.parametrize("umask", [0o027, 0o077])
def test_what_a_close_umask_left_in_the_cache_is_made_anew(small: World, umask: int) -> None:
    small.write_source({**SOURCE, "ID": str(time.time_ns())})
    assert small.run("tree", "--profile", "small").status == 0
    for stage in ("unpack-tool", "prep-tool"):
        newest = max(
            (small.cache / "stages" / stage).iterdir(), key=lambda path: path.stat().st_mtime_ns
        )
        close(newest, umask)
    ended = small.run(*BUILD)
    assert ended.status == 0, ended.errors
    assert "unpack:tool: started" in ended.errors
    assert "prep:tool: started" in ended.errors
    assert "unpack:tool: started" not in small.run(*BUILD).errors
