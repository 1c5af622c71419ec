"""`invoke clean` says what goes and how much, asks where it can, and leaves what is not its own."""

from __future__ import annotations

import io
import os
import pty
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from builder.commands.clean import CleanRequest, clean
from builder.console import Console
from builder.engine.private import private_engine
from builder.errors import EnvironmentFailure, UsageError
from builder.host import ownership
from builder.host.lock import hold
from builder.host.ownership import MARK, TAG
from builder.host.paths import Cache, Project
from builder.pipeline import run as runs
from builder.place import Place
from tests.unit.host.test_ownership import earlier

ALL = CleanRequest(everything=True, agreed=True)
RUN = "20200101-000000-1"


@dataclass
class Room:
    """A project with the profile ``p``, a marked cache, and what was said."""

    root: Path
    said: io.StringIO = field(default_factory=io.StringIO)

    @property
    def project(self) -> Project:
        return Project(self.root / "project")

    @property
    def cache(self) -> Cache:
        return Cache(self.root / "cache")

    @property
    def place(self) -> Place:
        return Place(self.project, self.cache, Console(self.said, interactive=False))

    def clean(self, request: CleanRequest) -> str:
        clean(request, self.place)
        return self.said.getvalue()

    def refuse(self, request: CleanRequest, kind: type[Exception] = UsageError) -> str:
        """The message of a refusal, which has removed nothing."""
        before = self.listing()
        with pytest.raises(kind) as caught:
            clean(request, self.place)
        assert self.listing() == before
        error = caught.value
        return f"{error}\n{getattr(error, 'hint', '')}"

    def listing(self) -> list[str]:
        return sorted(str(path.relative_to(self.root)) for path in self.root.rglob("*"))

    def artifacts(self, name: str, size: int = 10) -> Path:
        folder = self.project.results / name
        folder.mkdir(parents=True)
        (folder / "file").write_bytes(bytes(size))
        return folder


def write(path: Path, text: str = "mine") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Room:
    """Nobody is at the keyboard."""
    monkeypatch.setattr("sys.stdin", io.StringIO())
    made = Room(tmp_path)
    write(made.project.specs / "p" / "profile.toml", "")
    with ownership.use(made.cache, made.place.console):
        pass
    return made


@contextmanager
def typed(monkeypatch: pytest.MonkeyPatch, answer: str) -> Iterator[None]:
    """Somebody is at a terminal, and has typed ``answer``."""
    ours, theirs = pty.openpty()
    os.write(ours, answer.encode())
    with os.fdopen(theirs) as keyboard:
        monkeypatch.setattr("sys.stdin", keyboard)
        yield
    os.close(ours)


@pytest.mark.parametrize(
    ("answer", "kept"),
    [("n\n", True), ("\n", True), ("\x04", True), ("y\n", False), ("YES\n", False)],
)
def test_at_a_terminal_it_asks_and_takes_only_a_yes(
    room: Room, monkeypatch: pytest.MonkeyPatch, answer: str, kept: bool
) -> None:
    folder = room.artifacts("p", 3_000_000)
    with typed(monkeypatch, answer):
        said = room.clean(CleanRequest())
    assert "artifacts/p (3.0 MB)" in said
    assert folder.exists() is kept
    assert ("nothing was removed" in said) is kept


def test_the_cache_needs_a_yes_where_nobody_can_be_asked(room: Room) -> None:
    write(room.cache.blobs / "0123")
    room.artifacts("p")
    told = room.refuse(CleanRequest(everything=True))
    assert "this was not confirmed" in told
    assert "invoke clean --all --yes" in told


def test_a_file_with_two_names_is_counted_once(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = room.artifacts("p", 2_000_000)
    (folder / "again").hardlink_to(folder / "file")
    with typed(monkeypatch, "n\n"):
        assert "Remove" not in room.clean(CleanRequest())
    assert "(2.0 MB)" in room.said.getvalue()


def test_all_removes_the_cache_and_names_what_is_not_the_builder_s(room: Room) -> None:
    write(room.cache.blobs / "0123")
    write(room.cache.accelerator("0-1"), "{}")
    write(room.cache.scratch / "p" / RUN / "work")
    write(room.cache.root / "notes.txt")
    said = room.clean(ALL)
    assert "removing cache/blobs (" in said
    assert f"left: {room.cache.root / 'notes.txt'}, which is not the builder's" in said
    left = {path.name for path in room.cache.root.iterdir()}
    assert left == {TAG, MARK, "locks", "notes.txt"}


def test_all_removes_the_private_engine_s_data_and_no_link_s_target(room: Room) -> None:
    engine = private_engine(room.cache)
    write(engine.data / "vfs" / "layer")
    room.clean(ALL)
    assert not room.cache.engine.exists()
    elsewhere = write(room.root / "disk" / "data" / "layer")
    room.cache.engine.symlink_to(elsewhere.parents[1])
    assert "removing cache/engine (0.0 MB)" in room.clean(ALL)
    assert not room.cache.engine.is_symlink()
    assert elsewhere.is_file()


def test_a_dead_run_s_folder_goes_too(room: Room) -> None:
    dead = write(room.cache.scratch / "p" / RUN / "work")
    room.artifacts("p")
    said = room.clean(CleanRequest(agreed=True))
    assert f"removing cache/scratch/p/{RUN}" in said
    assert not dead.parent.exists()


def test_a_run_that_begins_while_it_asks_is_left(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    used = write(room.cache.scratch / "p" / RUN / "work")

    def answer(_question: str) -> str:
        stack.enter_context(hold(runs.run_lock(room.cache, "p", RUN), "it", room.place.console))
        return "y"

    with ExitStack() as stack, typed(monkeypatch, ""):
        monkeypatch.setattr("builtins.input", answer)
        said = room.clean(CleanRequest())
    assert f"left: cache/scratch/p/{RUN}, which is in use" in said
    assert used.is_file()


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (CleanRequest(), "artifacts/ has nothing of any profile"),
        (CleanRequest("p"), "artifacts/ has nothing of profile p"),
        (ALL, "is empty"),
    ],
)
def test_nothing_to_do_is_said(room: Room, request_: CleanRequest, words: str) -> None:
    assert words in room.refuse(request_)
    assert "nothing is left to do" in room.refuse(request_)


def test_who_finds_no_artifacts_is_told_of_the_cache(room: Room) -> None:
    write(room.cache.blobs / "0123")
    assert "`invoke clean --all` removes the cache as well" in room.refuse(CleanRequest())


def test_a_profile_is_a_folder_of_specs_or_what_it_has_left(room: Room) -> None:
    record = '{{"profile": "{}", "flavour": "vm", "base": "b", "stages": [], "outputs": []}}'
    for folder, text in (
        ("gone", record.format("gone")),
        ("renamed", record.format("p")),
        ("broken", "{"),
    ):
        write(room.artifacts(folder) / "build.json", text)
    told = room.refuse(CleanRequest("broken", agreed=True))
    assert "--profile names a folder of specs/, or what it has left in artifacts/" in told
    said = room.clean(CleanRequest(agreed=True))
    assert not (room.project.results / "gone").exists()
    for name in ("renamed", "broken"):
        assert f"left: artifacts/{name}, which is not a profile's" in said


def test_a_cache_of_an_earlier_version_is_marked_first(room: Room) -> None:
    cache = Cache(room.root / "old")
    earlier(cache.root)
    place = Place(room.project, cache, room.place.console)
    with pytest.raises(UsageError, match="has no mark") as caught:
        clean(ALL, place)
    assert "invoke fetch; invoke clean --all" in caught.value.hint
    folder = room.artifacts("p")
    clean(CleanRequest(agreed=True), place)
    assert not folder.exists()
    assert (cache.blobs / ("0" * 64)).is_file()


def test_somebody_s_folder_is_not_cleaned_as_a_cache(room: Room) -> None:
    home = write(room.root / "home" / "Documents" / "file")
    place = Place(room.project, Cache(room.root / "home"), room.place.console)
    with pytest.raises(UsageError, match="is not the builder's cache"):
        clean(ALL, place)
    assert home.is_file()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
@pytest.mark.parametrize("request_", [CleanRequest(agreed=True), ALL])
def test_root_cleans_nobody_else_s_cache(room: Room, request_: CleanRequest) -> None:
    room.artifacts("p")
    os.chown(room.cache.root, 12345, 12345)
    assert "belongs to another user" in room.refuse(request_, EnvironmentFailure)


def test_what_an_earlier_removal_has_left_is_removed(room: Room) -> None:
    left = write(room.project.results / ".p.removed-1-0" / "file")
    assert "removing artifacts/.p.removed-1-0" in room.clean(CleanRequest(agreed=True))
    assert not left.parent.exists()
