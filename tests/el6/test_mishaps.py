"""A host or a vault that cannot do it is told before anything is downloaded."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from builder.base import identity, load_base, vault
from builder.commands import doctor, produce
from builder.commands.session import Request
from builder.console import Console
from builder.errors import EnvironmentFailure
from builder.host.paths import Cache, Project
from builder.pipeline.stagename import StageKind
from tests import world
from tests.el6.project import EL6, ORIGIN, stand_in
from tests.el6.vault import serve
from tests.world import World


@pytest.fixture
def project(tmp_path: Path) -> World:
    """A small project with a stand-in for centos6, and a cache of its own."""
    made = world.make(tmp_path / "project", tmp_path / "cache")
    stand_in(made.project / "dockerfiles")
    return made


def test_the_stand_in_is_the_other_base_but_for_its_name(project: World) -> None:
    bases = project.project / "dockerfiles"
    ours, origin = load_base(bases / EL6), load_base(bases / ORIGIN)
    assert ours.settings.method == "mmdebstrap"
    assert ours.packages("build") == origin.packages("build")
    assert identity(ours, "build") != identity(origin, "build")


def test_without_vsyscall_nothing_is_downloaded(
    project: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("builder.host.vsyscall.is_mapped", lambda: False)
    said = io.StringIO()
    with pytest.raises(EnvironmentFailure) as caught:
        produce.produce(
            Request("small", base=EL6),
            produce.only(StageKind.BUILD, ()),
            project=Project(project.project),
            cache=Cache(project.cache),
            console=Console(said, interactive=False),
        )
    assert caught.value.exit_code == 7
    assert "--base debian12" in caught.value.hint
    assert "started" not in said.getvalue()
    assert not (project.cache / "blobs").exists()


@pytest.mark.guest
def test_the_doctor_asks_for_vsyscall_where_the_profiles_base_needs_it(
    project: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("builder.host.vsyscall.is_mapped", lambda: False)
    profile = project.project / "specs/small/profile.toml"
    for base, failed in ((ORIGIN, False), (EL6, True)):
        text = profile.read_text()
        profile.write_text(text.replace(f'base = "{ORIGIN}"', f'base = "{base}"'))
        doctor.examine(
            "small",
            fix=False,
            json=False,
            project=Project(project.project),
            cache=Cache(project.cache),
            console=Console(io.StringIO(), interactive=False),
        )
        lines = capsys.readouterr().out.splitlines()
        (told,) = [line for line in lines if " vsyscall " in line]
        assert told.startswith("failure") == failed


@pytest.mark.small
def test_repositories_that_are_gone_end_in_exit_3_with_what_was_asked(tmp_path: Path) -> None:
    made = world.make(tmp_path / "project", tmp_path / "cache")
    profile = made.project / "specs/small/profile.toml"
    profile.write_text(f'guest = "sysv"\n{profile.read_text()}')
    with serve(tmp_path / "vault") as served:
        made.env[vault.VARIABLE] = served.url
        ended = made.run("image", "--profile", "small", "--base", EL6)
        assert ended.status == 3, ended.errors
        assert f"{served.url}/6.10/os/x86_64/repodata/repomd.xml: HTTP 404" in ended.errors
        assert "LVS_VAULT" in ended.errors
        assert "Traceback" not in ended.errors
    assert set(served.asked) == {"/6.10/os/x86_64/repodata/repomd.xml"}
