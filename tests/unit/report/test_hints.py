"""Hints can be pasted as they stand, and lead somewhere: all of them, read off the source."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from invoke.exceptions import Exit, ParseError

import tasks
from builder import commandline
from builder.invocation import pasted, pasted_quotes
from tests.support import syntax
from tests.world import ROOT

# What stands in an f-string where a value comes.
VALUE = "build"
# A command ends with its line or its quotes, or where prose goes on behind one of these.
COMMAND = re.compile(
    r"`(?P<quoted>[^`]*\b(?:invoke|\./bootstrap) [^`]*)`"
    r"|(?P<bare>(?<!-m )(?:invoke|\./bootstrap) (?:--?)?[a-z][^`\n]*?)(?=$|\n|; | \(|, or )",
    re.MULTILINE,
)
PAGE = re.compile(
    r"\bREADME\.md(?:#[\w-]*)?|(?<=see )README\b|(?<=read )README\b"
    r"|\bdocs/[\w./-]*[\w](?:#[\w-]*)?"
)


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """Every string of a module that is not a docstring, with values in it replaced."""
    source = path.read_text(encoding="utf-8")
    if not re.search(r"invoke |bootstrap |README|docs/|see |read ", source):
        return
    inner = {
        id(one)
        for node in syntax.nodes(path)
        if isinstance(node, ast.JoinedStr)
        for one in node.values
    }
    prose = {id(node.value) for node in syntax.nodes(path) if isinstance(node, ast.Expr)}
    for node in syntax.nodes(path):
        if id(node) in inner | prose:
            continue
        if isinstance(node, ast.JoinedStr):
            yield (
                node.lineno,
                "".join(
                    str(one.value) if isinstance(one, ast.Constant) else VALUE
                    for one in node.values
                ),
            )
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value


@cache
def messages() -> tuple[tuple[str, str], ...]:
    return tuple(
        (f"{path.relative_to(ROOT)}:{line}", text)
        for path in (*sorted((ROOT / "builder").rglob("*.py")), ROOT / "tasks.py")
        if path.name != "invocation.py"  # patterns
        if path.parent.name != "reference"  # pages
        for line, text in texts(path)
    )


def commands() -> Iterator[tuple[str, str]]:
    for place, text in messages():
        for found in COMMAND.finditer(text):
            yield place, found["quoted"] or found["bare"]


def parse(command: str) -> None:
    """Have the real command line read it; raises Exit or ParseError if it does not."""
    for one in re.split(r" && ", command):
        words = shlex.split(one)
        start = next(n for n, word in enumerate(words) if word in ("invoke", "./bootstrap"))
        assert words[:start] in ([], ["env", "-u", "CI"], [VALUE]), f"{one!r} is not a command"
        program = commandline.Program(tasks)
        program.create_config()
        program.parse_core(["invoke", *(w for w in words[start + 1 :] if w != "--yes")])
        program.parse_collection()
        program.parse_tasks()


def test_there_are_hints_to_look_at() -> None:
    assert len(list(commands())) > 30


@pytest.mark.parametrize("profile", ["", "lts"])
def test_every_command_is_one_that_the_command_line_takes(profile: str) -> None:
    wrong = []
    once = {command: place for place, command in commands()}
    for command, place in once.items():
        try:
            parse(pasted(command, Path("/nowhere"), profile=profile))
        except (Exit, ParseError, ValueError, AssertionError) as error:
            wrong.append(f"{place}: {command!r}: {error}")
    assert wrong == []


def test_every_command_stands_apart_from_the_prose_around_it() -> None:
    """Else nobody, and not this test, could tell where it ends."""
    wrong = [
        f"{place}: {text!r}"
        for place, text in messages()
        for found in re.finditer(r"(?<!-m )\binvoke (?:--?[a-z]|[a-z])", text)
        if not any(one.start() <= found.start() < one.end() for one in COMMAND.finditer(text))
    ]
    assert wrong == []


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as the platforms that show Markdown make them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", one).strip().lower().replace(" ", "-") for one in headings}


def test_every_page_and_section_that_is_named_exists() -> None:
    wrong = []
    for place, text in messages():
        for name in PAGE.findall(text):
            path, _, anchor = name.partition("#")
            page = ROOT / path
            if not page.is_file() or (anchor and anchor not in anchors(page)):
                wrong.append(f"{place}: {name}")
    assert wrong == []


def test_every_file_that_a_hint_sends_to_exists() -> None:
    wrong = [
        f"{place}: {name}"
        for place, text in messages()
        for name in re.findall(r"\b(?:see|read) ((?:builder|specs|dockerfiles)/[\w./-]+)", text)
        if not (ROOT / name).exists()
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("folder", "word"),
    [("", "./bootstrap"), ("specs/lts", "../../bootstrap"), ("..", "{root}/bootstrap")],
)
def test_commands_work_from_where_the_user_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str, word: str
) -> None:
    root = tmp_path / "a checkout"
    (root / "specs" / "lts").mkdir(parents=True)
    (root / "docs" / "explanation").mkdir(parents=True)
    (root / "bootstrap").write_text('#!/bin/sh\necho "ran $*"\n')
    (root / "bootstrap").chmod(0o755)
    monkeypatch.chdir(root / folder)
    text = pasted("run: invoke verify --fix\nsee docs/explanation/lab.md", root)
    command, page = text.removeprefix("run: ").splitlines()
    assert shlex.split(command) == [word.format(root=root), "verify", "--fix"]
    (root / "docs" / "explanation" / "lab.md").touch()
    assert Path(page.removeprefix("see ")).exists()


def test_a_checkout_without_bootstrap_is_told_of_invoke(tmp_path: Path) -> None:
    assert pasted("invoke verify --fix", tmp_path) == "invoke verify --fix"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("run `invoke fetch --update`", "run `invoke fetch --profile lts --update`"),
        ("invoke build --profile el6", "invoke build --profile el6"),
        ("invoke clean --all --yes", "invoke clean --all --yes"),
        ("`invoke fetch` and `invoke verify`", "`invoke fetch --profile lts` and `invoke verify`"),
        ("Python invoke a thing", "Python invoke a thing"),
    ],
)
def test_hints_name_the_profile_that_failed(tmp_path: Path, text: str, expected: str) -> None:
    assert pasted_quotes(text, tmp_path, profile="lts") == (expected if "`" in text else text)
    if "a thing" not in text:
        assert pasted(text, tmp_path, profile="lts") == expected


def test_no_odd_profile_gets_into_a_hint(tmp_path: Path) -> None:
    assert pasted("invoke fetch", tmp_path, profile="x; reboot") == "invoke fetch"
