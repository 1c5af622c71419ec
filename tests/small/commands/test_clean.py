"""`invoke clean` removes what is the builder's, says what and how much, and nothing else."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from builder.engine.private import daemon_process, private_engine
from builder.host import ownership, removal
from builder.host.ownership import MARK, TAG, State
from builder.host.paths import Cache
from tests import world
from tests.unit.host.test_ownership import earlier
from tests.world import World

SMALL = ("--profile", "small")
USER = """
import sys
from pathlib import Path
from builder.console import Console
from builder.host import ownership
from builder.host.paths import Cache
with ownership.use(Cache(Path(sys.argv[1])), Console()):
    print("used", flush=True)
    sys.stdin.read()
"""
ENGINE_USER = """
import sys
from pathlib import Path
from builder.console import Console
from builder.engine.private import hold, private_engine
from builder.host.paths import Cache
with hold(private_engine(Cache(Path(sys.argv[1]))), Console()):
    print("used", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def own(tmp_path: Path) -> World:
    """A small project with a cache of its own: these tests remove it."""
    return world.make(tmp_path / "project", tmp_path / "cache")


@contextmanager
def process_with(program: str, cache: Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", program, cache],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "used\n"
        try:
            yield process
        finally:
            process.kill()


def listing(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def wait_for(process: subprocess.Popen[str], words: str) -> str:
    assert process.stderr is not None
    for line in process.stderr:
        if words in line:
            return line
    pytest.fail(f"{words!r} was not said")


def home_with_files(folder: Path) -> Path:
    for name in ("logs", "engine", "stages", "Documents", ".ssh"):
        (folder / name).mkdir(parents=True)
        (folder / name / "file").write_text("kept")
    return folder


@pytest.mark.parametrize("words", [("--all",), ("--all", "--yes")])
def test_a_home_named_as_the_cache_loses_nothing(
    own: World, tmp_path: Path, words: tuple[str, ...]
) -> None:
    own.cache = home_with_files(tmp_path / "home")
    own.env["HOME"] = str(own.cache)
    (own.project / "artifacts" / "small").mkdir(parents=True)
    before = listing(own.cache), listing(own.project / "artifacts")
    ended = own.run("clean", *words)
    assert ended.status == 2, ended.errors
    assert "is not the builder's cache" in ended.errors
    assert (listing(own.cache), listing(own.project / "artifacts")) == before


def test_no_command_marks_somebody_s_folder(own: World, tmp_path: Path) -> None:
    own.cache = home_with_files(tmp_path / "elsewhere")
    before = listing(own.cache)
    for words in (("fetch", *SMALL), ("explain", "fetch:tool", *SMALL), ("clean",)):
        ended = own.run(*words)
        if words[0] != "explain":
            assert ended.status == 2, words
        assert listing(own.cache) == before, words
    assert "is not the builder's cache" in own.run("fetch", *SMALL).errors
    assert "clean --all" not in own.run("clean").errors, "it would be refused"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
@pytest.mark.parametrize("words", [("clean",), ("clean", "--all", "--yes")])
def test_root_cleans_nobody_else_s_cache(own: World, words: tuple[str, ...]) -> None:
    assert own.run("fetch", *SMALL).status == 0
    (own.project / "artifacts" / "small").mkdir(parents=True)
    os.chown(own.cache, 12345, 12345)
    before = listing(own.cache)
    ended = own.run(*words)
    assert ended.status == 7, ended.errors
    assert "belongs to another user" in ended.errors
    assert listing(own.cache) == before
    assert (own.project / "artifacts" / "small").is_dir()


def test_a_cache_among_the_artifacts_is_no_cache(own: World) -> None:
    assert own.run("fetch", *SMALL).status == 0
    place = own.project / "artifacts" / "small" / "cache"
    place.parent.mkdir(parents=True)
    own.cache = own.cache.rename(place)
    before = listing(place)
    for words in (("clean",), ("clean", "--all", "--yes"), ("fetch", *SMALL), ("verify", "--fix")):
        ended = own.run(*words)
        assert ended.status == 2, words
        assert "a folder of this checkout" in ended.errors
    assert listing(place) == before


def test_a_link_in_the_cache_sweeps_nothing_elsewhere(own: World, tmp_path: Path) -> None:
    assert own.run("fetch", *SMALL).status == 0
    for name in ("logs", "scratch"):
        removal.remove(own.cache / name, own.cache)
        (own.cache / name).symlink_to(tmp_path / "elsewhere")
    mine = tmp_path / "elsewhere" / "small" / "20200101-000000-1" / "file"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    for words in (("clean",), ("clean", "--all", "--yes"), ("fetch", *SMALL), ("verify",)):
        ended = own.run(*words)
        assert ended.status == 2, words
        assert "is a link to" in ended.errors
    assert mine.read_text() == "mine"


def test_an_earlier_cache_is_marked_by_a_build_and_not_by_clean(own: World) -> None:
    earlier(own.cache)
    before = listing(own.cache)
    ended = own.run("clean", "--all", "--yes")
    assert ended.status == 2
    assert "invoke fetch" in ended.errors
    assert "invoke clean --all" in ended.errors
    assert listing(own.cache) == before
    assert own.run("fetch", *SMALL).status == 0
    assert ownership.examine(Cache(own.cache)) is State.MARKED
    assert (own.cache / "blobs" / ("0" * 64)).is_file()
    assert own.run("clean", "--all", "--yes").status == 0
    assert sorted(path.name for path in own.cache.iterdir()) == sorted([TAG, MARK, "locks"])


def test_all_removes_the_cache_and_leaves_what_is_not_the_builder_s(own: World) -> None:
    assert own.run("fetch", *SMALL).status == 0
    (own.cache / "notes.txt").write_text("mine")
    ended = own.run("clean", "--all", "--yes")
    assert ended.status == 0, ended.errors
    assert "removing cache/blobs (" in ended.errors
    assert f"left: {own.cache / 'notes.txt'}" in ended.errors
    assert sorted(path.name for path in own.cache.iterdir()) == sorted(
        [TAG, MARK, "locks", "notes.txt"]
    )
    assert own.run("fetch", *SMALL).status == 0


def test_all_needs_a_yes_where_nobody_can_be_asked(own: World) -> None:
    assert own.run("tree", *SMALL).status == 0
    before = listing(own.cache / "blobs"), listing(own.project / "artifacts")
    ended = own.run("clean", "--all")
    assert ended.status == 2
    assert "invoke clean --all --yes" in ended.errors
    assert (listing(own.cache / "blobs"), listing(own.project / "artifacts")) == before


@pytest.mark.parametrize(
    ("answer", "kept"), [("n\n", True), ("\n", True), ("\x04", True), ("y\n", False)]
)
def test_on_a_terminal_it_asks(own: World, answer: str, kept: bool) -> None:
    folder = own.project / "artifacts" / "small"
    folder.mkdir(parents=True)
    (folder / "file").write_bytes(bytes(3_000_000))
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        own.command("clean"),
        cwd=own.project,
        env=own.environment,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        said = b""
        deadline = time.monotonic() + 30
        while b"[y/N]" not in said and time.monotonic() < deadline:
            if select.select([ours], [], [], 1)[0]:
                said += os.read(ours, 4096)
        assert b"artifacts/small (3.0 MB)" in said
        assert folder.is_dir()
        os.write(ours, answer.encode())
        assert process.wait(30) == 0
        os.close(ours)
    assert folder.is_dir() is kept


def test_all_waits_for_those_who_use_the_cache(own: World) -> None:
    assert own.run("fetch", *SMALL).status == 0
    with process_with(USER, own.cache) as user:
        cleaner = own.start("clean", "--all", "--yes")
        assert f"waiting for process {user.pid}" in wait_for(cleaner, "waiting for")
        assert (own.cache / "blobs").is_dir()
        assert user.stdin is not None
        user.stdin.close()
        _, errors = cleaner.communicate(timeout=30)
    assert cleaner.returncode == 0, errors
    assert not (own.cache / "blobs").exists()


def test_explain_waits_for_no_run_of_its_profile(own: World) -> None:
    assert own.run("fetch", *SMALL).status == 0
    with process_with(USER, own.cache):
        ended = own.run("explain", "fetch:tool", *SMALL, timeout=30)
    assert ended.status == 0, ended.errors
    assert "waiting" not in ended.errors
    assert "fetch:tool: nothing has changed" in ended.output


def test_without_a_match_it_says_so(own: World) -> None:
    for words in (("clean",), ("clean", *SMALL), ("clean", "--all", "--yes")):
        ended = own.run(*words)
        assert ended.status == 2, words
        assert "there is nothing to clean" in ended.errors
        assert not own.cache.exists()


def test_an_empty_profile_does_not_mean_all_of_them(own: World) -> None:
    (own.project / "artifacts" / "small").mkdir(parents=True)
    assert own.run("clean", "--profile", "").status == 2
    assert (own.project / "artifacts" / "small").is_dir()


def test_only_folders_of_profiles_go(own: World) -> None:
    artifacts = own.project / "artifacts"
    for name in ("small", "mine", "gone", "renamed"):
        (artifacts / name).mkdir(parents=True)
    record = '{{"profile": "{}", "flavour": "vm", "base": "b", "stages": [], "outputs": []}}'
    (artifacts / "gone" / "build.json").write_text(record.format("gone"))
    (artifacts / "renamed" / "build.json").write_text(record.format("small"))
    (artifacts / "README.md").write_text("tracked")
    ended = own.run("clean")
    assert ended.status == 0, ended.errors
    assert "removing artifacts/gone (" in ended.errors
    assert "left: artifacts/mine" in ended.errors
    assert own.artifacts() == ["README.md", "mine", "renamed", "renamed/build.json"]
    assert own.run("clean", "--profile", "mine").status == 2


def test_artifacts_that_are_a_link_lose_the_link_alone(own: World, tmp_path: Path) -> None:
    (tmp_path / "victim").mkdir()
    (tmp_path / "victim" / "file").write_text("kept")
    (own.project / "artifacts").mkdir()
    (own.project / "artifacts" / "small").symlink_to(tmp_path / "victim")
    assert own.run("clean", *SMALL).status == 0
    assert (tmp_path / "victim" / "file").read_text() == "kept"
    assert not (own.project / "artifacts" / "small").is_symlink()


def test_the_project_that_bench_measures_works_beside_its_cache(own: World) -> None:
    """Both lie in the cache's folder ``bench``."""
    assert own.run("fetch", *SMALL).status == 0
    place = Cache(own.cache).bench
    inner = world.make(place / "project", place / "cache")
    ended = inner.run("fetch", *SMALL)
    assert ended.status == 0, ended.errors
    assert own.run("clean", "--all", "--yes").status == 0
    assert not place.exists()


@pytest.mark.engine
def test_all_lets_a_private_engine_end_first(own: World) -> None:
    assert own.run("fetch", *SMALL).status == 0
    cache = Cache(own.cache)
    with process_with(ENGINE_USER, own.cache) as user:
        cleaner = own.start("clean", "--all", "--yes")
        wait_for(cleaner, "the private engine: waiting for")
        assert daemon_process(private_engine(cache)) is not None
        assert (cache.engine / "data").is_dir()
        assert user.stdin is not None
        user.stdin.close()
        _, errors = cleaner.communicate(timeout=60)
    assert cleaner.returncode == 0, errors
    assert not cache.engine.exists()
    assert daemon_process(private_engine(cache)) is None
