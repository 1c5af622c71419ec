"""ARCHITECTURE.md tells the truth: its table names every room, and imports go down in it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import syntax
from tests.world import ROOT

PAGE = ROOT / "ARCHITECTURE.md"
BUILDER = ROOT / "builder"
COMMAND_LINE = "commandline"


def listed() -> list[str]:
    """The rooms of the page's table, from the top down."""
    table = PAGE.read_text().partition("## Rooms")[2].partition("\n## ")[0]
    return re.findall(r"^\| `(\w+)/` \|", table, re.MULTILINE)


def imported(module: Path) -> Iterator[str]:
    """Every module of the builder that a file imports, wherever in it, by its parts."""
    for node in syntax.nodes(module):
        if isinstance(node, ast.Import):
            yield from (one.name for one in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{one.name}" for one in node.names)


def upward(module: Path, rooms: list[str], builder: Path) -> list[str]:
    """The imports of a room's file that lead to a room above its own."""
    own = module.relative_to(builder).parts[0]
    return [
        name
        for name in imported(module)
        for other in name.split(".")[1:2]
        if name.startswith("builder.") and other in rooms and rooms.index(other) < rooms.index(own)
    ]


def test_every_room_is_in_the_table_once() -> None:
    rooms = sorted(path.parent.name for path in BUILDER.glob("*/__init__.py"))
    assert sorted(listed()) == rooms


@pytest.mark.parametrize("room", listed())
def test_a_room_imports_only_rooms_below_it(room: str) -> None:
    rooms = listed()
    wrong = {
        f"{path.relative_to(BUILDER)}: {name}"
        for path in (BUILDER / room).rglob("*.py")
        for name in upward(path, rooms, BUILDER)
    }
    assert wrong == set()


def test_an_import_upward_is_seen(tmp_path: Path) -> None:
    module = tmp_path / "low" / "module.py"
    module.parent.mkdir()
    module.write_text("def f():\n    from builder.high import thing\nimport builder.low.other\n")
    assert upward(module, ["high", "low"], tmp_path) == ["builder.high.thing"]
    assert upward(module, ["low", "high"], tmp_path) == []


def test_only_the_command_line_knows_invoke() -> None:
    knowing = {
        path.relative_to(BUILDER).parts[0]
        for path in BUILDER.rglob("*.py")
        if any(name.partition(".")[0] == "invoke" for name in imported(path))
    }
    assert knowing == {COMMAND_LINE}


def test_every_path_of_the_page_exists() -> None:
    named = re.findall(
        r"`((?:builder|tests|docs|patches|specs|dockerfiles)/[\w./-]*)`", PAGE.read_text()
    )
    assert [name for name in named if not (ROOT / name).exists()] == []
