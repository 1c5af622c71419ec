"""A name has one form and must exist, wherever it comes from, before it is part of a path."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from builder import names
from builder.base import load_base
from builder.errors import UsageError
from builder.host.paths import Project
from builder.lab import catalogue
from builder.profile import load
from tests import world
from tests.world import PROFILE, ROOT, World

HOSTILE = (
    *("../specs", ".", "..", "../../victim/data", "/etc", "small\n", "\nsmall", "sm all", "SMALL"),
    *("*", "-x", "small/", "small/../small", "\x1b[31m", "x" * 5000, "$(id)", "ünicode", ""),
)

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


def profile_of(tmp_path: Path, old: str, new: str) -> None:
    assert old in PROFILE
    specs = tmp_path / "specs"
    (specs / "p").mkdir(parents=True)
    (specs / "p" / "profile.toml").write_text(PROFILE.replace(old, new))
    load.load(specs, "p")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("[component.tool]", '[component."../tool"]'),
        ("[component.tool]", '[component."to/ol"]'),
        ("[component.tool]", '[component.""]'),
        ("[component.tool]", '[component."tool\\n"]'),
        ("[flavour.vm]", '[flavour.".."]'),
        ("[source.tool]", '[source."/etc"]'),
        ('base = "debian12"', 'base = "../debian12"'),
        ('default_flavour = "vm"', 'default_flavour = "../vm"'),
        ('host = "host.toml"', 'host = "../../host.toml"'),
        ("fragments = []", 'fragments = ["../../x"]'),
        ('package = "tool"', 'package = "../tool"'),
        ('source = "tool"', 'source = "../tool"'),
        ('file = "tool-1.0.tar.gz"', 'file = "../tool-1.0.tar.gz"'),
        ("[source.tool]", '[component.tool.base.".."]\n[source.tool]'),
        ("[source.tool]", '[component.tool.flavour."v/m"]\n[source.tool]'),
        ("[source.tool]", '[component.tool.flavour.vm]\nseries = ["../x"]\n[source.tool]'),
        ('release = "1"', 'release = "1"\nneeds = ["../tool"]'),
        ('release = "1"', 'release = "1"\nbases = ["../x"]'),
        ('host = "host.toml"', 'host = "host.toml"\nguest = "../x"'),
        ('host = "host.toml"', 'host = "host.toml"\nselftest = "../x"'),
    ],
)
def test_a_profile_s_names_are_names(tmp_path: Path, old: str, new: str) -> None:
    with pytest.raises(UsageError) as caught:
        profile_of(tmp_path, old, new)
    assert caught.value.what.startswith("p/profile.toml:")
    assert "name" in caught.value.cause
    assert "regex" not in caught.value.cause


@pytest.mark.parametrize(
    ("old", "new", "nearest"),
    [
        ('default_flavour = "vm"', 'default_flavour = "vn"', "vm"),
        ('source = "tool"', 'source = "tol"', "tool"),
        ("[source.tool]", "[component.tool.flavour.vmm]\n[source.tool]", "vm"),
    ],
)
def test_a_profile_s_references_exist(tmp_path: Path, old: str, new: str, nearest: str) -> None:
    with pytest.raises(UsageError) as caught:
        profile_of(tmp_path, old, new)
    assert f"did you mean {nearest!r}?" in caught.value.cause


def test_a_base_s_names_are_names(tmp_path: Path) -> None:
    text = (ROOT / "dockerfiles" / "debian12" / "base.toml").read_text()
    for old, new in (('name = "debian12"', 'name = "../x"'), ("[guest.sysv]", '[guest."../x"]')):
        assert old in text
        (tmp_path / "base.toml").write_text(text.replace(old, new))
        with pytest.raises(UsageError) as caught:
            load_base(tmp_path)
        assert names.RULE in caught.value.cause


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('topology = "seed"', 'topology = "../seed"'),
        ('name = "toa-off"', 'name = "../toa-off"'),
    ],
)
def test_a_scenario_s_names_are_names(tmp_path: Path, old: str, new: str) -> None:
    text = (catalogue.SCENARIOS / "fullnat.toml").read_text()
    assert old in text
    (tmp_path / "mine.toml").write_text(text.replace(old, new))
    with pytest.raises(UsageError) as caught:
        catalogue.load("mine", tmp_path)
    assert names.RULE in caught.value.cause


@pytest.mark.parametrize(
    ("old", "new"), [("[host.web1]", '[host."../web1"]'), ("[link.inner]", '[link."in/ner"]')]
)
def test_a_topology_s_names_are_names(tmp_path: Path, old: str, new: str) -> None:
    text = (catalogue.TOPOLOGIES / "seed.toml").read_text()
    assert old in text
    (tmp_path / "seed.toml").write_text(text.replace(old, new))
    with pytest.raises(UsageError) as caught:
        catalogue.load("fullnat", topologies=tmp_path)
    assert names.RULE in caught.value.cause


@pytest.mark.parametrize("name", HOSTILE)
def test_the_artifacts_of_no_profile_have_no_path(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError):
        Project(tmp_path).artifacts(name)


@pytest.mark.parametrize("name", ["lts", "lts-x", "el6", "0", "a.b_c-d", "x" * names.LONGEST])
def test_what_is_a_name(name: str) -> None:
    assert names.is_name(name)


def test_a_stage_has_a_kind_and_a_name() -> None:
    assert names.is_stage("smoke")
    assert names.is_stage("build:lvs-director")
    assert not any(map(names.is_stage, ("build:", ":x", "a:b:c", "build:../x", "build:x\n")))
