"""What a stranger asks first: which tasks there are, which version, and what can be named."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from invoke.collection import Collection

import tasks
from builder import commandline, version
from builder.commands.listing import KINDS
from tests.world import ROOT

OPTION = re.compile(r"^  -[^\n]*(?:STRING|--[a-z-]+)\n(?! {10})", re.MULTILINE)
"""An option of which nothing is said, neither beside it nor on the next line."""


@pytest.fixture(autouse=True)
def _apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LVS_BUILDER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))


def said(capsys: pytest.CaptureFixture[str], words: str) -> str:
    assert commandline.run(tasks, words.split()) == 0
    told = capsys.readouterr()
    assert told.err == ""
    return told.out


def test_every_task_is_listed_once_in_its_group() -> None:
    listed = [name for group in commandline.GROUPS.values() for name in group]
    assert sorted(listed) == sorted(Collection.from_module(tasks).task_names)


def test_the_list_has_one_line_for_each_task(capsys: pytest.CaptureFixture[str]) -> None:
    lines = said(capsys, "--list").splitlines()
    assert max(map(len, lines)) < 80
    assert sum(line.startswith("  ") for line in lines) == len(
        Collection.from_module(tasks).task_names
    )


@pytest.mark.parametrize("name", Collection.from_module(tasks).task_names)
@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_h_is_help_of_every_task_with_a_line_for_each_option(
    capsys: pytest.CaptureFixture[str], name: str, flag: str
) -> None:
    told = said(capsys, f"{name} {flag}")
    assert told.startswith(f"Usage: invoke [--core-opts] {name} ")
    assert told == said(capsys, f"--help {name}")
    bare = OPTION.findall(told)
    assert bare == [], "options without help"


@pytest.mark.parametrize("words", ["explain smoke -h", "update kernel --help", "shell x -h"])
def test_h_is_help_behind_a_value_as_well(capsys: pytest.CaptureFixture[str], words: str) -> None:
    assert said(capsys, words).startswith("Usage: ")


@pytest.mark.parametrize("words", ["--version", "-V"])
def test_the_version_is_the_toolkit_s(capsys: pytest.CaptureFixture[str], words: str) -> None:
    assert said(capsys, words) == f"lvs-fullnat-builder {version.version()}\n"
    assert f'version = "{version.version()}"' in (ROOT / "pyproject.toml").read_text()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("profile", ["el6", "lts"])
def test_every_kind_is_listed_with_a_line_about_each(
    capsys: pytest.CaptureFixture[str], kind: str, profile: str
) -> None:
    lines = said(capsys, f"show {kind} --profile {profile}").splitlines()
    assert len(lines) >= 2
    described = [line for line in lines if len(line.split(maxsplit=1)) == 2]
    assert described == lines or kind == "stages"


def test_without_a_kind_the_kinds_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert [line.split()[0] for line in said(capsys, "show").splitlines()] == list(KINDS)


def test_what_is_listed_can_be_given(capsys: pytest.CaptureFixture[str]) -> None:
    stages = said(capsys, "show stages --profile lts").splitlines()
    assert {"smoke", "build:kernel", "lab:fullnat"} <= {line.split()[0] for line in stages}


@pytest.mark.parametrize("value", ["lts", "", "el6"])
def test_lvs_profile_names_the_default_profile(value: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "invoke", "show", "components"],
        cwd=ROOT,
        env={**os.environ, "LVS_PROFILE": value},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert ("frr" in ended.stdout) == (value == "lts")
    assert ("quagga" in ended.stdout) == (value != "lts")


def test_a_default_profile_that_does_not_exist_is_told() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "invoke", "build"],
        cwd=ROOT,
        env={**os.environ, "LVS_PROFILE": "ltx"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ended.returncode == 2
    assert "there is no profile 'ltx'; did you mean 'lts'?" in ended.stderr
