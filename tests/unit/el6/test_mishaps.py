"""A host or a vault that cannot do it is told before anything is downloaded."""

from __future__ import annotations

import io

import pytest

from builder.base.image import identity
from builder.base.model import load_base
from builder.commands import produce
from builder.console import Console
from builder.errors import EnvironmentFailure
from builder.host.paths import Cache, Project
from builder.pipeline.stagename import StageKind
from builder.place import Place
from builder.stages.request import Request
from tests.support.el6.beside import project
from tests.support.el6.project import EL6, ORIGIN
from tests.world import World

__all__ = ["project"]  # fixtures


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
            Place(Project(project.project), Cache(project.cache), Console(said, interactive=False)),
        )
    assert caught.value.exit_code == 7
    assert "--base debian12" in caught.value.hint
    assert "started" not in said.getvalue()
    assert not (project.cache / "blobs").exists()
