"""A task with --json answers in JSON whatever happens: one document, on standard output."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from invoke.tasks import Task

import tasks
from builder import commandline

TASKS = sorted(
    one.name
    for one in vars(tasks).values()
    if isinstance(one, Task) and any("json" in argument.names for argument in one.get_arguments())
)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LVS_BUILDER_CACHE", str(tmp_path / "cache"))


def answer(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any], str]:
    """The status, the one document of standard output, and what people were told."""
    status = commandline.run(tasks, words)
    said = capsys.readouterr()
    found: dict[str, Any] = json.loads(said.out)
    return status, found, said.err


def test_every_task_that_has_the_option_is_tried_here() -> None:
    assert {"patch", "doctor"} <= set(TASKS)


@pytest.mark.parametrize("task", TASKS)
def test_an_unknown_profile_is_a_failure_in_json(
    task: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, found, told = answer(capsys, task, "--json", "--profile", "none")
    failure = found["failure"]
    assert (status, failure["status"]) == (2, 2)
    assert "none" in failure["what"]
    assert told.startswith("failed: "), "people are told as ever"
    assert set(failure) == {"what", "cause", "hint", "stage", "log", "status"}


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("words", [("--nonsense",), ("--profile",), ("nonsense",)], ids=str)
def test_a_command_line_that_cannot_be_read_is_too(
    task: str, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    status, found, told = answer(capsys, task, "--json", *words)
    assert (status, found["failure"]["status"]) == (2, 2)
    assert found["failure"]["what"] in told


def test_without_the_option_standard_output_stays_empty(capsys: pytest.CaptureFixture[str]) -> None:
    assert commandline.run(tasks, ["patch", "--profile", "none"]) == 2
    assert commandline.run(tasks, ["patch", "--nonsense", "--json"]) == 2
    assert capsys.readouterr().out == ""


def test_what_the_host_refuses_is_a_failure_in_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("LVS_BUILDER_CACHE", str(tmp_path / "file" / "cache"))
    status, found, _ = answer(capsys, "patch", "--check", "--json", "--profile", "lts")
    assert (status, found["failure"]["status"]) == (7, 7)
