"""The project's structure is what docs say it is, and each rule would notice if it were not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.support import structure
from tests.world import ROOT

Rule = Callable[[Path], list[str]]
RULES = (
    structure.long_modules,
    structure.long_functions,
    structure.circle_of_files,
    structure.circle_of_rooms,
    structure.repeated_classes,
    structure.rooms_without_tests,
    structure.folders_of_no_room,
    structure.silent_tests,
)
# Two rooms with a test each, one of which imports the other.
GOOD = {
    "tasks.py": "import builder.one.first\n",
    "builder/__init__.py": "",
    "builder/one/__init__.py": "from builder.one.first import First\n",
    "builder/one/first.py": "from builder.two import second\n\nclass First: ...\n",
    "builder/two/__init__.py": "",
    "builder/two/second.py": "class Second: ...\n",
    "tests/unit/one/test_first.py": "def test_it():\n    assert True\n",
    "tests/small/two/test_second.py": "def test_it(ended):\n    ended.require_refusal()\n",
    "tests/long/fresh/test_all.py": "def test_it():\n    with pytest.raises(OSError): ...\n",
}
LONG = "def long():\n" + "    print()\n" * 60
BROKEN: tuple[tuple[Rule, Mapping[str, str], list[str]], ...] = (
    (
        structure.long_modules,
        {"builder/two/second.py": "\n" * 401},
        ["builder.two.second has 401 lines"],
    ),
    (structure.long_modules, {"tasks.py": "\n" * 402}, ["tasks has 402 lines"]),
    (
        structure.long_functions,
        {"builder/two/second.py": LONG},
        ["builder.two.second.long has 61 lines"],
    ),
    (
        structure.circle_of_files,
        {"builder/two/second.py": "def late():\n    from ..one.first import First\n"},
        ["builder.one.first imports builder.two.second imports builder.one.first"],
    ),
    (
        structure.circle_of_rooms,
        {"builder/two/third.py": "if TYPE_CHECKING:\n    import builder.one\n"},
        ["builder.one imports builder.two imports builder.one"],
    ),
    (
        structure.repeated_classes,
        {"builder/two/third.py": "class First: ...\n"},
        ["First is in builder.one.first, builder.two.third"],
    ),
    (
        structure.rooms_without_tests,
        {"builder/three/third.py": ""},
        ["no tests of builder/three"],
    ),
    (
        structure.folders_of_no_room,
        {"tests/unit/ones/test_more.py": ""},
        ["ones is no room of builder"],
    ),
    (
        structure.silent_tests,
        {"tests/unit/one/test_more.py": "class TestIt:\n    def test_it(self):\n        call()\n"},
        ["tests/unit/one/test_more.py::test_it does not assert"],
    ),
)


def write(root: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.mark.parametrize("rule", RULES)
def test_the_project_keeps_the_rule(rule: Rule) -> None:
    assert rule(ROOT) == []


@pytest.mark.parametrize(("rule", "change", "found"), BROKEN)
def test_a_project_that_breaks_the_rule_is_told(
    tmp_path: Path, rule: Rule, change: Mapping[str, str], found: list[str]
) -> None:
    assert rule(write(tmp_path / "good", GOOD)) == []
    assert rule(write(tmp_path / "broken", {**GOOD, **change})) == found


def test_every_rule_is_tried() -> None:
    assert set(RULES) == {rule for rule, *_ in BROKEN}
