"""What a command asks for is checked before anything runs."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from builder.errors import UsageError
from builder.host.paths import Project
from builder.stages.request import Request, choose
from tests.world import ROOT


@pytest.fixture
def project(tmp_path: Path) -> Project:
    for name in ("specs", "dockerfiles"):
        (tmp_path / name).symlink_to(ROOT / name)
    for profile in ("lts", "el6"):
        for folder in (ROOT / "patches" / profile).iterdir():
            (tmp_path / "patches" / profile / folder.name).mkdir(parents=True)
    return Project(tmp_path)


@pytest.mark.parametrize("profile", ["lts", "el6"])
def test_every_folder_of_patches_is_a_components_or_a_bases(project: Project, profile: str) -> None:
    assert choose(project, Request(profile)).profile == profile


def test_patches_of_no_component_are_refused(project: Project) -> None:
    (project.patches / "lts" / ".git").mkdir()
    (project.patches / "lts" / "README").touch()
    assert choose(project, Request("lts")).profile == "lts"
    shutil.move(project.patches / "lts" / "ipvsadm", project.patches / "lts" / "ipvsdm")
    with pytest.raises(UsageError, match="would never be applied") as caught:
        choose(project, Request("lts"))
    assert "no component 'ipvsdm'" in caught.value.cause
    assert "did you mean 'ipvsadm'?" in caught.value.cause


def test_a_base_with_anothers_name_is_refused(project: Project) -> None:
    project.bases.unlink()
    shutil.copytree(ROOT / "dockerfiles/debian12", project.bases / "debian13")
    with pytest.raises(UsageError, match="'debian12' is not the name of the folder") as caught:
        choose(project, Request("lts", base="debian13"))
    assert caught.value.what.startswith("dockerfiles/debian13/base.toml:")
