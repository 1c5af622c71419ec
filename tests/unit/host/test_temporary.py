"""Temporary folders of killed processes are swept, those of others are left alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from builder.host import temporary
from builder.patch import apply, series
from tests.world import PATCH, SOURCE

OWNER = """
import sys
from builder.host import temporary
with temporary.folder("test") as folder:
    (folder / "inner").mkdir()
    (folder / "inner" / "file").touch()
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "tmp"
    place.mkdir()
    monkeypatch.setenv("TMPDIR", str(place))
    monkeypatch.setattr("tempfile.tempdir", None)
    return place


@contextmanager
def owner(program: str = OWNER, *words: str) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """Another process and its folder."""
    with subprocess.Popen(
        [sys.executable, "-c", program, *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            yield process, Path(process.stdout.readline().strip())
        finally:
            process.kill()


def test_a_killed_owner_s_folder_is_removed_by_the_next(home: Path) -> None:
    with owner() as (process, left):
        with temporary.folder("patch") as mine:
            assert {mine, left} == set(home.iterdir()), "it is in use"
            assert mine.stat().st_mode & 0o777 == 0o700
        process.send_signal(signal.SIGKILL)
        process.wait(10)
        assert (left / "inner" / "file").exists()
        with temporary.folder("patch"):
            assert not left.exists()
    assert list(home.iterdir()) == []


def test_a_removal_that_was_killed_is_finished(home: Path) -> None:
    with temporary.folder("patch") as mine:
        name = mine.name
    left = home / f".{name}.removed-1-0"
    (left / "inner").mkdir(parents=True)
    with temporary.folder("patch"):
        assert not left.exists()


def test_what_is_not_ours_stays(home: Path) -> None:
    with temporary.folder("patch") as mine:
        name = mine.name
    precious = home / "precious"
    precious.mkdir()
    (home / f"{name}-link").symlink_to(precious)
    (home / f"{name}-file").touch()
    (home / "patch-x").mkdir()
    others = home / f"{name}-others"
    others.mkdir()
    if os.geteuid() == 0:
        os.chown(others, 65534, 65534)
    kept = set(home.iterdir()) - ({others} if os.geteuid() != 0 else set())
    with temporary.folder("patch"):
        assert kept <= set(home.iterdir())


def test_an_exception_leaves_nothing(home: Path) -> None:
    with pytest.raises(KeyboardInterrupt), temporary.folder("patch"):
        raise KeyboardInterrupt
    assert list(home.iterdir()) == []


ATTEMPT = """
import sys
from pathlib import Path
from builder.patch import apply, series
root, tree = Path(sys.argv[1]), Path(sys.argv[2])
with apply.attempt(series.load(root), tree) as trial:
    print(trial.patched, flush=True)
    sys.stdin.read()
"""


def test_a_series_that_is_tried_sweeps_and_leaves_nothing(home: Path, tmp_path: Path) -> None:
    root = tmp_path / "series"
    root.mkdir()
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "tool.c").write_text(SOURCE["tool.c"])
    (root / "series").write_text("a.patch\n")
    (root / "a.patch").write_text(PATCH)
    with owner(ATTEMPT, str(root), str(tree)) as (process, left):
        assert (left / "tool.c").is_file(), "it runs"
        process.send_signal(signal.SIGKILL)
        process.wait(10)
    with apply.attempt(series.load(root), tree) as trial:
        assert list(home.iterdir()) == [trial.patched.parent], "the killed one's is gone"
    apply.apply(series.load(root), tree)
    assert list(home.iterdir()) == []


def test_those_who_make_one_at_the_same_moment_do_not_sweep_each_other_s() -> None:
    def make(number: int) -> None:
        for _ in range(30):
            with temporary.folder(str(number)) as folder:
                assert folder.is_dir()

    with ThreadPoolExecutor(8) as together:
        list(together.map(make, range(8)))
