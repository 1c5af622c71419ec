"""A session takes finished stages from the store that the user's configuration names."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

import tasks
from builder.base.packages import encode
from builder.commandline import described
from builder.commands.explain import explain_request
from builder.commands.produce import exactly
from builder.configuration.places import VARIABLE
from builder.console import Console
from builder.digest import Digest
from builder.errors import UsageError
from builder.host.paths import Cache, Project
from builder.pipeline.elsewhere import HERE
from builder.pipeline.facts import ImageFacts
from builder.pipeline.stage import Done
from builder.pipeline.stagename import BUILD_ROOT, StageKind, parse
from builder.pipeline.store import OUTPUT
from builder.place import Place
from builder.remote.stages import RemoteStages
from builder.stages.image import PACKAGES
from builder.stages.products import TAR
from builder.stages.request import Request
from builder.stages.session import _elsewhere, open_session
from tests.support.remote.keys import KeyPair
from tests.support.remote.machines import writer
from tests.support.remote.store import StoreServer
from tests.world import ROOT

REQUEST = Request("lts", "vm")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project of this test's own: its locks are, too."""
    root = tmp_path / "project"
    root.mkdir()
    for name in ("specs", "patches", "dockerfiles"):
        (root / name).symlink_to(ROOT / name)
    return Project(root)


@pytest.fixture
def place(tmp_path: Path, project: Project) -> Iterator[Place]:
    yield Place(project, Cache(tmp_path / "cache"), Console())


@pytest.fixture(autouse=True)
def configuration(
    tmp_path: Path, stage_store: StoreServer, pair: KeyPair, monkeypatch: pytest.MonkeyPatch
) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(f'[stages]\nstore = "{stage_store.url}"\naccept = ["{pair.line}"]\n')
    monkeypatch.setenv(VARIABLE, str(path))
    return path


def push_image(folder: Path, project: Project, store: StoreServer, pair: KeyPair) -> Done:
    """Another machine has made the build image, and pushed it."""
    place = Place(project, Cache(folder / "cache"), Console())
    with open_session(replace(REQUEST, alone=True), place) as session:
        assert session.schedule.elsewhere is HERE
        output = folder / "work" / OUTPUT
        output.mkdir(parents=True)
        (output / TAR).write_bytes(b"a root")
        (output / PACKAGES).write_bytes(encode(()))
        stage = session.stages[BUILD_ROOT]
        done = session.store.commit(
            stage.name, stage.inputs(), folder / "work",
            listed=True, by_content=False, started=time.time(),
            facts=ImageFacts(0, Digest("0" * 64)), log=folder / "log",
        )  # fmt: skip
        remote = RemoteStages(writer(store.url, pair), place.console, folder / "s", folder / "a")
        remote.offer(done)
        remote.close()
    return done


def test_a_fresh_machine_has_the_build_image_without_an_engine(
    tmp_path: Path, place: Place, stage_store: StoreServer, pair: KeyPair
) -> None:
    made = push_image(tmp_path / "other", place.project, stage_store, pair)
    with open_session(REQUEST, place) as session:
        done = session.settle(BUILD_ROOT)[BUILD_ROOT]
    assert (done.key, done.content) == (made.key, made.content)
    assert (done.path / TAR).read_bytes() == b"a root"
    told = explain_request(REQUEST, exactly(BUILD_ROOT), place)
    assert told[0] == (
        f"image:build: nothing has changed (it came from the stage store {stage_store.url}, "
        "signed by ci)"
    )


def test_a_run_without_the_store_asks_nobody(
    place: Place, stage_store: StoreServer, configuration: Path
) -> None:
    configuration.write_text("[stages]\nstore = 'gopher://x/'\n")
    with open_session(replace(REQUEST, alone=True), place) as session:
        assert session.schedule.elsewhere is HERE
    with pytest.raises(UsageError, match="gopher"), open_session(REQUEST, place):
        pass


def test_a_hermetic_run_takes_nothing(place: Place) -> None:
    for hermetic, count in ((False, 1), (True, 0)):
        remote = _elsewhere(replace(REQUEST, hermetic=hermetic), place, "lts/run")
        assert isinstance(remote, RemoteStages)
        assert len(remote.store.accept) == count


def test_what_takes_long_to_make_is_shared_and_nothing_else(place: Place) -> None:
    with open_session(REQUEST, place, reading=True) as session:
        shared = {parse(name).kind for name, stage in session.stages.items() if stage.shared}
        others = {parse(name).kind for name, stage in session.stages.items() if not stage.shared}
    assert shared == {StageKind.IMAGE, StageKind.BUILD, StageKind.REPO, StageKind.VM}
    assert not shared & others


def test_keys_do_not_depend_on_path_user_and_number_of_processors(
    tmp_path: Path, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What two machines make of the same project has the same keys, so that it can be shared."""

    def inputs(place: Place, request: Request) -> dict[str, object]:
        with open_session(request, place, reading=True) as session:
            return {name: stage.inputs() for name, stage in session.stages.items() if stage.shared}

    here = inputs(place, REQUEST)
    far = tmp_path / "quite" / "another place"
    far.mkdir(parents=True)
    for name in ("specs", "patches", "dockerfiles"):
        (far / name).symlink_to(ROOT / name)
    monkeypatch.setenv("HOME", str(far))
    monkeypatch.setenv("USER", "somebody")
    monkeypatch.setenv("TZ", "Asia/Kathmandu")
    other = Place(Project(far), Cache(far / "cache"), Console())
    assert inputs(other, replace(REQUEST, jobs=7)) == here
    assert len(here) > 5


def test_the_option_is_one_of_every_task_that_makes_shared_stages() -> None:
    option = "--no-stage-store"
    with_it = {
        task.name
        for group in described.groups(tasks)
        for task in group.tasks
        if any(option in switch.forms for switch in task.options)
    }
    assert with_it == {"build", "repo", "vm", "smoke", "image"}
