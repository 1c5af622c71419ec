"""A stage depends on the code that makes its output, and on nothing that only talks."""

from __future__ import annotations

import ast
import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from builder.errors import EnvironmentFailure
from builder.pipeline.code import APART, Code, is_apart, parsed
from tests.world import ROOT

MODULES = {
    "__init__": "",
    "room/__init__": "",
    "room/stage": '''\
"""A stage."""
from __future__ import annotations
from typing import TYPE_CHECKING
from pathlib import Path
from builder.console import say
from builder.room.quick import helper
if TYPE_CHECKING:
    from builder.room.typed import Typed
HERE = Path(__file__).parents[0] / "data"
WORD = "one"

def first(typed: Typed) -> str:
    """What it does."""
    from builder.room import lazy
    say("first")
    return lazy.work(WORD)

def second() -> str:
    return helper() + HERE.read_text()
''',
    "room/quick": "from builder.room.deep import DEEP\ndef helper(): return DEEP\n",
    "room/deep": "DEEP = 1\n",
    "room/lazy": "def work(word): return word\n",
    "room/typed": "class Typed: ...\n",
    "console": "def say(words): print(words)\n",
}
WHOLE = "builder.room.stage"
FIRST, SECOND = f"{WHOLE}:first", f"{WHOLE}:second"


@pytest.fixture
def package(tmp_path: Path) -> Path:
    folder = tmp_path / "builder"
    for name, text in MODULES.items():
        path = folder / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (folder / "room" / "data").mkdir()
    (folder / "room" / "data" / "words").write_text("words")
    return folder


def inputs(package: Path, *modules: str) -> dict[str, str]:
    return {one.name: one.value for one in Code(None, package).of(*modules)}


def edit(package: Path, name: str, old: str, new: str) -> None:
    path = package / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_a_module_counts_with_all_that_it_imports_even_late(package: Path) -> None:
    assert set(inputs(package, WHOLE)) == {
        *("code:builder", "code:room", "code:room.stage", "code:room.quick", "code:room.deep"),
        *("code:room.lazy", "data:room/data/words"),
    }


def test_a_function_counts_with_what_it_uses_alone(package: Path) -> None:
    packages = {"code:builder", "code:room"}
    assert set(inputs(package, FIRST)) == packages | {"code:room.stage:first", "code:room.lazy"}
    assert set(inputs(package, SECOND)) == packages | {
        *("code:room.stage:second", "code:room.quick", "code:room.deep", "data:room/data/words"),
    }


@pytest.mark.parametrize(
    ("name", "old", "new", "first", "second"),
    [
        ("room/lazy.py", "return word", "return word * 2", True, False),
        ("room/deep.py", "DEEP = 1", "DEEP = 2", False, True),
        ("room/data/words", "words", "other", False, True),
        ("room/stage.py", '"one"', '"two"', True, False),
        ("room/stage.py", "return helper()", "return 2 * helper()", False, True),
        ("room/stage.py", "What it does.", "What it is for.", False, False),
        ("room/stage.py", "WORD =", "# a word\nWORD    =", False, False),
        ("room/typed.py", "class Typed", "class Other", False, False),
        ("console.py", "print(words)", "print(words, words)", False, False),
    ],
)
def test_an_edit_changes_what_depends_on_it(
    package: Path, name: str, old: str, new: str, *, first: bool, second: bool
) -> None:
    before = [inputs(package, function) for function in (FIRST, SECOND)]
    edit(package, name, old, new)
    after = [inputs(package, function) for function in (FIRST, SECOND)]
    assert [one != other for one, other in zip(before, after, strict=True)] == [first, second]


def test_alone_leaves_out_what_is_imported(package: Path) -> None:
    found = Code(None, package).alone(FIRST, "builder.room.quick")
    assert [one.name for one in found] == ["code:room.quick", "code:room.stage:first"]


def test_what_was_found_is_kept_as_long_as_files_look_the_same(package: Path) -> None:
    memo = package.parent / "memo.json"
    code = Code(memo, package)
    found = code.of(WHOLE)
    code.keep()
    wrong = memo.read_text().replace(dict(inputs(package, WHOLE))["code:room.deep"], "0" * 64)
    memo.write_text(wrong)
    again = Code(memo, package)
    assert {one.name for one in again.of(WHOLE) if one not in found} == {"code:room.deep"}
    edit(package, "room/deep.py", "1", "1")  # the same, but written anew
    assert Code(memo, package).of(WHOLE) == found


def test_a_spoilt_memory_is_none(package: Path) -> None:
    memo = package.parent / "memo.json"
    memo.write_text("{")
    assert {one.name: one.value for one in Code(memo, package).of(WHOLE)} == inputs(package, WHOLE)


def test_a_module_that_is_not_there_is_told(package: Path) -> None:
    with pytest.raises(EnvironmentFailure, match=r"builder\.room\.gone"):
        Code(None, package).of("builder.room.gone")


def test_what_is_left_out_exists_and_has_a_reason() -> None:
    for name, reason in APART.items():
        path = ROOT.joinpath(*name.split("."))
        assert path.is_dir() or path.with_suffix(".py").is_file(), name
        assert reason
    assert is_apart("builder.pipeline.code")
    assert not is_apart("builder.archive.tar")


def test_no_trees_stage_knows_of_bringing_sources() -> None:
    code = Code(None)
    for stage in ("unpack_stage", "inner_stage", "prep_stage"):
        found = {one.name for one in code.of(f"builder.stages.sources:{stage}")}
        assert not any(name.startswith("code:source") for name in found)
    assert "code:patch.apply" in {one.name for one in code.of("builder.stages.sources:prep_stage")}


class _Lost:
    """Garbage that parses something when it is collected, as asyncio's log of a lost future."""

    def __init__(self) -> None:
        self.itself = self

    def __del__(self) -> None:
        ast.parse("a + b")


@pytest.fixture
def eager() -> Iterator[None]:
    before = gc.get_threshold()
    gc.set_threshold(50)
    yield
    gc.set_threshold(*before)


@pytest.mark.usefixtures("eager")
def test_garbage_does_not_disturb_the_parser() -> None:
    for path in sorted((ROOT / "builder/pipeline").glob("*.py")):
        _Lost()
        assert parsed(path).body
    assert gc.isenabled()
