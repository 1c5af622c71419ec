"""The component of docs/how-to/add.md is one, and the page's commands and places are there."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from builder.commandline import GROUPS
from builder.host.paths import Project
from builder.lab.oracle import answers, rows
from builder.rpm import spec
from builder.stages.request import Request, choose
from tests.world import ROOT

TEXT = (ROOT / "docs/how-to/add.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    found = re.search(rf"^```{language}\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
    assert found is not None
    return found[1]


def test_its_component_can_be_built(tmp_path: Path) -> None:
    for name in ("patches", "dockerfiles"):
        (tmp_path / name).symlink_to(ROOT / name)
    project = Project(tmp_path)
    specs = project.specs / "lts"
    shutil.copytree(ROOT / "specs/lts", specs)
    with (specs / "profile.toml").open("a") as profile:
        profile.write("\n" + block("toml"))
    (specs / "hello.spec.j2").write_text(block("spec"))
    build = choose(project, Request("lts"))
    part = build.parts["hello"]
    assert part.source is build.sources["hello"]
    context = spec.SpecContext(part, {}, "vm", (part.source.file,), (), build.changelog)
    lines = spec.render(specs, context).splitlines()
    assert "Name:           hello" in lines
    assert "Source0:        hello-2.10.tar.gz" in lines
    assert "%prep" in lines


def test_its_tasks_and_places_are_there() -> None:
    tasks = {name for group in GROUPS.values() for name in group}
    asked = re.findall(r"^\./bootstrap ([a-z-]+)", TEXT, re.MULTILINE)
    assert asked
    assert set(asked) <= tasks
    places = re.findall(r"(?<![\w./])((?:builder|tests|dockerfiles|specs)/[\w./-]*\w)", TEXT)
    made = {"specs/lts/hello.spec.j2", "specs/lts/hello", "specs/mine", "dockerfiles/debian13"}
    absent = {name for name in places if not (ROOT / name).exists()} - made
    assert absent == {"dockerfiles/debian13/base.toml"}


def test_its_modules_of_assertions_are_all() -> None:
    named = re.search(r"have a tuple `ROWS` \(([^)]*)\)", TEXT)
    assert named is not None
    folder = Path(answers.__file__).parent
    having = {path.stem for path in folder.glob("*.py") if "\nROWS = " in path.read_text()}
    assert set(re.findall(r"`(\w+)`", named[1])) == having
    assert set(answers.ROWS) <= set(rows.ROWS.values())


def test_its_way_back_to_the_patches_is_right() -> None:
    entered = re.findall(r"^cd (\S*ipvsadm\S*)$", TEXT, re.MULTILINE)
    back = re.search(r"-o (\S+patches/lts/ipvsadm)", TEXT)
    assert len(entered) == 2
    assert back is not None
    assert os.path.normpath("/".join((*entered, back[1]))) == "patches/lts/ipvsadm"
