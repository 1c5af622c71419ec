"""A host or a vault that cannot do it is told before anything is downloaded."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from builder.base import vault
from builder.commands import doctor
from builder.console import Console
from builder.host.paths import Cache, Project
from builder.place import Place
from tests import world
from tests.support.el6.beside import project
from tests.support.el6.project import EL6, ORIGIN
from tests.support.el6.vault import serve
from tests.world import World

__all__ = ["project"]  # fixtures


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
            Place(
                Project(project.project),
                Cache(project.cache),
                Console(io.StringIO(), interactive=False),
            ),
            fix=False,
            json=False,
        )
        lines = capsys.readouterr().out.splitlines()
        (told,) = [line for line in lines if " vsyscall " in line]
        assert told.startswith("failure") == failed


def test_repositories_that_are_gone_end_in_exit_3_with_what_was_asked(tmp_path: Path) -> None:
    made = world.make(tmp_path / "project", tmp_path / "cache")
    profile = made.project / "specs/small/profile.toml"
    profile.write_text(f'init = "sysv"\n{profile.read_text()}')
    with serve(tmp_path / "vault") as served:
        made.env[vault.VARIABLE] = served.url
        ended = made.run("image", "--profile", "small", "--base", EL6)
        assert ended.status == 3, ended.errors
        assert f"{served.url}/6.10/os/x86_64/repodata/repomd.xml: HTTP 404" in ended.errors
        assert "LVS_VAULT" in ended.errors
        assert "Traceback" not in ended.errors
    assert set(served.asked) == {"/6.10/os/x86_64/repodata/repomd.xml"}
