"""A name has one form and must exist, wherever it comes from, before it is part of a path."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests import world
from tests.support.hostile import HOSTILE
from tests.world import World

# Calls every task with every hostile word for every option that takes a name.  One process
# for all: what is called are the tasks that `invoke` calls.
DRIVER = """
import io, contextlib, json, sys
from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import Task
import tasks

OPTIONS = ("profile", "flavour", "base", "only", "scenario", "host", "stage")
EMPTY_MEANS_DEFAULT = ("flavour", "base")
BLANKS_DIVIDE = ("only", "scenario")
words = json.loads(sys.argv[1])
answers = []
for task in [one for one in vars(tasks).values() if isinstance(one, Task)]:
    taken = [argument.name for argument in task.get_arguments()]
    for option in (name for name in taken if name in OPTIONS):
        given = {"profile": "small"} if "profile" in taken else {}
        given |= {name: "x" for name in ("host", "stage") if name in taken}
        for word in words:
            if (not word and option in EMPTY_MEANS_DEFAULT):
                continue
            if option in BLANKS_DIVIDE and word.strip() == "small":
                continue
            said = io.StringIO()
            try:
                with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
                    task.body(Context(), **{**given, option: word})
                code, told = 0, said.getvalue()
            except Exit as end:
                code, told = end.code, end.message or ""
            answers.append([task.name, option, word, code, told])
print(json.dumps(answers))
"""


def listing(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


@pytest.fixture
def own(tmp_path: Path) -> World:
    """A small project with a cache of its own, and a victim beside it."""
    made = world.make(tmp_path / "project", tmp_path / "cache")
    (made.project / "artifacts" / "small").mkdir(parents=True)
    (made.project / "artifacts" / "README.md").write_text("tracked")
    (tmp_path / "victim" / "data").mkdir(parents=True)
    (tmp_path / "victim" / "data" / "file").write_text("kept")
    return made


def test_no_command_takes_a_hostile_name(own: World, tmp_path: Path) -> None:
    before = listing(tmp_path)
    ended = subprocess.run(
        [sys.executable, "-B", "-c", DRIVER, json.dumps(HOSTILE)],
        cwd=own.project,
        env={**own.environment, "XDG_RUNTIME_DIR": str(tmp_path / "runtime")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    answers = json.loads(ended.stdout)
    taken = {(task, option) for task, option, *_ in answers}
    assert {("clean", "profile"), ("lab-console", "host"), ("shell", "stage")} <= taken
    assert len(taken) > 25
    wrong = [answer for answer in answers if answer[3] != 2]
    assert wrong == []
    for task, option, word, _, told in answers:
        lines = told.splitlines()
        assert [line.split(":")[0] for line in lines] == ["failed", "cause", "next"], (task, told)
        assert all(line.isprintable() for line in lines), (task, option, word)
        assert len(lines[0]) < 200
    here = {path for path in listing(tmp_path) if not path.startswith("runtime")}
    assert here == before, "a refused command makes and removes nothing"


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (("build", "--profile", "smal"), "there is no profile 'smal'; did you mean 'small'?"),
        (("clean", "--profile", "smal"), "there is no profile 'smal'; did you mean 'small'?"),
        (
            ("fetch", "--profile", "SMALL"),
            "'SMALL' is not the name of a profile; did you mean 'small'?",
        ),
        (("report", "--profile", "smal"), "there is no profile 'smal'; did you mean 'small'?"),
        (("repo", "--profile", "small", "--base", "debian21"), "did you mean 'debian12'?"),
        (
            ("tree", "--profile", "small", "--only", "tol"),
            "no component 'tol'; did you mean 'tool'?",
        ),
        (("explain", "build:tol", "--profile", "small"), "'build:tol'; did you mean 'build:tool'?"),
        (("lab", "--profile", "small", "--scenario", "fulnat"), "did you mean 'fullnat'?"),
    ],
)
def test_the_nearest_name_is_suggested(own: World, words: tuple[str, ...], answer: str) -> None:
    ended = own.run(*words)
    assert ended.status == 2
    assert answer in ended.errors
    assert not own.cache.exists()
