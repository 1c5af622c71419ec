"""Runs of one checkout that have different caches wait for each other, too."""

from __future__ import annotations

import fcntl
import io
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from builder.commands import clean, lab
from builder.console import Console
from builder.errors import UsageError
from builder.host.paths import Cache, Project
from builder.pipeline import run
from builder.place import Place
from builder.stages import session
from builder.stages.request import Request
from tests import world
from tests.support.lab import finished

HOLDER = """
import sys
from pathlib import Path
from builder.console import Console
from builder.host.paths import Cache, Project
from builder.pipeline import run
hold = getattr(run, sys.argv[1])
with hold(Cache(Path(sys.argv[2])), Project(Path(sys.argv[3])), sys.argv[4], Console()):
    print("held", flush=True)
    sys.stdin.read()
"""
KINDS = ("profile_alone", "lab_alone")


@contextmanager
def holder(
    kind: str, cache: Path, project: Path, profile: str = "p"
) -> Iterator[subprocess.Popen[str]]:
    """Another process that builds, or has a lab, of a profile in the checkout."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, kind, cache, project, profile],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


class Ending(io.StringIO):
    """Messages; the holder ends as soon as somebody says that it waits, and removes a file."""

    def __init__(
        self, process: subprocess.Popen[str], number: signal.Signals, doomed: Path | None = None
    ) -> None:
        super().__init__()
        self._process, self._number, self._doomed = process, number, doomed

    def write(self, text: str) -> int:
        if "waiting for" in text:
            if self._doomed is not None:
                self._doomed.unlink()
            self._process.send_signal(self._number)
        return super().write(text)


@pytest.mark.parametrize("kind", KINDS)
def test_who_comes_second_waits_and_says_for_whom(tmp_path: Path, kind: str) -> None:
    """The first is killed: the kernel gives its lock back."""
    with holder(kind, tmp_path / "one", tmp_path) as first:
        said = Ending(first, signal.SIGKILL)
        console = Console(said, interactive=False)
        with getattr(run, kind)(Cache(tmp_path / "two"), Project(tmp_path), "p", console):
            assert first.wait(10) == -signal.SIGKILL
    assert f"p in {tmp_path}: waiting for process {first.pid}" in said.getvalue()


@pytest.mark.parametrize("kind", KINDS)
def test_clean_with_another_cache_waits(tmp_path: Path, kind: str) -> None:
    project = Project(tmp_path)
    (project.specs / "p").mkdir(parents=True)
    (project.specs / "p" / "profile.toml").touch()
    (project.results / "p").mkdir(parents=True)
    with holder(kind, tmp_path / "one", tmp_path) as first:
        said = Ending(first, signal.SIGKILL)
        clean.clean(
            clean.CleanRequest(agreed=True),
            Place(project, Cache(tmp_path / "two"), Console(said, interactive=False)),
        )
    assert f"waiting for process {first.pid}" in said.getvalue()
    assert not (project.results / "p").exists()


def test_a_lab_looks_at_its_image_when_nobody_can_take_it_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clean that is under way removes the image while the lab waits."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    place = finished.place(tmp_path)
    image = finished.build(place, "vm")["vm"].path
    with holder("lab_alone", place.cache.root, place.project.root, "lts") as cleaning:
        said = Ending(cleaning, signal.SIGKILL, image.parent / "stage.json")
        with pytest.raises(UsageError, match="has no disk image"):
            lab.run(lab.LabRequest("lts", flavour="vm"), replace(place, console=Console(said)))
    assert f"waiting for process {cleaning.pid}" in said.getvalue()


def test_a_lab_and_a_build_of_one_profile_go_on_side_by_side(tmp_path: Path) -> None:
    said = io.StringIO()
    console = Console(said, interactive=False)
    with (
        holder("profile_alone", tmp_path / "one", tmp_path),
        run.lab_alone(Cache(tmp_path / "two"), Project(tmp_path), "p", console),
    ):
        assert said.getvalue() == ""


def test_other_checkouts_and_profiles_do_not_wait(tmp_path: Path) -> None:
    said = io.StringIO()
    console = Console(said, interactive=False)
    with (
        holder("profile_alone", tmp_path / "one", tmp_path),
        run.profile_alone(Cache(tmp_path / "two"), Project(tmp_path / "x"), "p", console),
        run.profile_alone(Cache(tmp_path / "three"), Project(tmp_path), "q", console),
    ):
        assert said.getvalue() == ""


@pytest.mark.skipif(os.geteuid() != 0, reason="makes mounts of its own")
def test_a_read_only_checkout_needs_no_lock(tmp_path: Path) -> None:
    """Nothing can be published or pinned there."""
    (tmp_path / "checkout").mkdir()
    script = 'mount --bind "$1" "$1"; mount -o remount,ro,bind "$1"; shift; exec "$@"'
    words = (sys.executable, "-c", HOLDER, "profile_alone", tmp_path / "cache")
    ended = subprocess.run(
        [
            *("unshare", "--mount", "sh", "-euc", script, "sh"),
            *map(str, (tmp_path / "checkout", *words, tmp_path / "checkout", "p")),
        ],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (0, "held\n"), ended.stderr


def test_a_lock_that_cannot_be_made_is_not_passed_over(tmp_path: Path) -> None:
    (tmp_path / "artifacts").mkdir()
    (tmp_path / "artifacts/.locks").touch()
    console = Console(io.StringIO(), interactive=False)
    with (
        pytest.raises(OSError, match=r"\.locks"),
        run.profile_alone(Cache(tmp_path / "cache"), Project(tmp_path), "p", console),
    ):
        pytest.fail("it may not go on")


def test_the_locks_are_the_checkouts(tmp_path: Path) -> None:
    """What other programs would look at: flock(2) of these files."""
    console = Console(io.StringIO(), interactive=False)
    with run.profile_alone(Cache(tmp_path / "cache"), Project(tmp_path), "p", console):
        (lock,) = (tmp_path / "artifacts/.locks").iterdir()
        assert lock.stat().st_mode & 0o077 == 0
        with lock.open("rb") as file, pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


SESSION = """
import sys
from pathlib import Path
from builder.stages.request import Request
from builder.stages.session import open_session
from builder.console import Console
from builder.host.paths import Cache, Project
from builder.place import Place
project, cache = Project(Path(sys.argv[2])), Cache(Path(sys.argv[1]))
with open_session(Request("lts"), Place(project, cache, Console())):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_build_holds_it_from_its_first_look_to_its_last_word(tmp_path: Path) -> None:
    """So nobody else pins or publishes between what it reads and what it writes."""
    project = Project(tmp_path / "checkout")
    for folder in ("specs/lts", "patches/lts", "dockerfiles"):
        (project.root / folder).parent.mkdir(parents=True, exist_ok=True)
        world.copy(world.ROOT / folder, project.root / folder)
    with subprocess.Popen(
        [sys.executable, "-c", SESSION, tmp_path / "one", project.root],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as first:
        try:
            assert first.stdout is not None
            assert first.stdout.readline() == "held\n"
            said = Ending(first, signal.SIGKILL)
            with session.open_session(
                Request("lts"),
                Place(project, Cache(tmp_path / "two"), Console(said, interactive=False)),
            ):
                assert f"waiting for process {first.pid}" in said.getvalue()
        finally:
            first.kill()
