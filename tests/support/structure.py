"""What the structure of a project must be, read from its syntax trees: one function a rule.

Each returns what breaks its rule, a line for each finding; none if it holds.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from importlib.util import resolve_name
from pathlib import Path

from builder.selftest.parts import LEVELS
from tests.support import syntax

MODULE_LINES = 400
FUNCTION_LINES = 60
PACKAGE = "builder"
# Folders of tests that go through several rooms: tests/README.md.
THROUGH_ROOMS = ("el6", "fresh", "gate", "installed", "mishaps")
# What fails a test by itself, and how functions that assert begin.
CHECKS = ("raises", "warns", "fail")
BEGINNINGS = ("require_", "assert_")

Function = ast.FunctionDef | ast.AsyncFunctionDef
Graph = Mapping[str, set[str]]


def modules(root: Path) -> dict[str, Path]:
    """The program's modules by their dotted names; a package is its ``__init__``."""
    files = [root / "tasks.py", *sorted((root / PACKAGE).rglob("*.py"))]
    return {_dotted(path.relative_to(root)): path for path in files}


def _dotted(path: Path) -> str:
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


def long_modules(root: Path) -> list[str]:
    """Modules of more than 400 lines."""
    lines = {name: len(path.read_text().splitlines()) for name, path in modules(root).items()}
    return [f"{name} has {count} lines" for name, count in lines.items() if count > MODULE_LINES]


def long_functions(root: Path) -> list[str]:
    """Functions of more than 60 lines, the first and the last included."""
    return [
        f"{name}.{one.name} has {_lines(one)} lines"
        for name, path in modules(root).items()
        for one in _functions(path)
        if _lines(one) > FUNCTION_LINES
    ]


def _functions(path: Path) -> Iterator[Function]:
    return (node for node in syntax.nodes(path) if isinstance(node, Function))


def _lines(node: Function) -> int:
    assert node.end_lineno is not None
    return node.end_lineno - node.lineno + 1


def repeated_classes(root: Path) -> list[str]:
    """Names of classes that are in more than one place."""
    places = defaultdict(list)
    for name, path in modules(root).items():
        for node in syntax.nodes(path):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(name)
    found = {name: where for name, where in places.items() if len(where) > 1}
    return [f"{name} is in {', '.join(where)}" for name, where in sorted(found.items())]


def imports(root: Path, *, typed: bool) -> dict[str, set[str]]:
    """Which modules of the program each of them imports, wherever in it the import stands.

    ``typed``: also what only the type checker imports.
    """
    known = modules(root)
    found = {}
    for name, path in known.items():
        package = name if path.stem == "__init__" else name.rpartition(".")[0]
        found[name] = set(
            _imported(_walk(syntax.tree(path), typed=typed), package, known)
        ) & known.keys() - {name}
    return found


def _walk(tree: ast.AST, *, typed: bool) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        if typed or not (isinstance(node, ast.If) and _is_for_types(node.test)):
            yield node
            yield from _walk(node, typed=typed)


def _is_for_types(test: ast.expr) -> bool:
    return isinstance(test, ast.Name) and test.id == "TYPE_CHECKING"


def _imported(nodes: Iterable[ast.AST], package: str, known: Container[str]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            source = resolve_name("." * node.level + (node.module or ""), package)
            # A name is a module of a package, or something in the package itself.
            named = [f"{source}.{alias.name}" for alias in node.names]
            yield from (name if name in known else source for name in named)


def circle_of_files(root: Path) -> list[str]:
    """A circle of modules that import each other when they run."""
    return _circle(imports(root, typed=False))


def circle_of_rooms(root: Path) -> list[str]:
    """A circle of rooms, folders and single modules of the package, that import each other."""
    rooms: dict[str, set[str]] = defaultdict(set)
    for name, others in imports(root, typed=True).items():
        rooms[_room(name)] |= {_room(other) for other in others} - {_room(name)}
    return _circle(rooms)


def _room(module: str) -> str:
    return ".".join(module.split(".")[:2])


def _circle(graph: Graph) -> list[str]:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return [" imports ".join(reversed(error.args[1]))]
    return []


def rooms_without_tests(root: Path) -> list[str]:
    """Rooms of the package that have no folder of tests at any level."""
    return [f"no tests of {PACKAGE}/{room}" for room in sorted(_rooms(root) - _tested(root))]


def folders_of_no_room(root: Path) -> list[str]:
    """Folders of tests that are no room of the package, nor one of what goes through several."""
    known = _rooms(root) | set(THROUGH_ROOMS)
    return [f"{room} is no room of {PACKAGE}" for room in sorted(_tested(root) - known)]


def _rooms(root: Path) -> set[str]:
    return {path.parent.name for path in (root / PACKAGE).glob("*/*.py")}


def _tested(root: Path) -> set[str]:
    files = (path.relative_to(root / "tests" / level) for level, path in _tests(root))
    return {file.parts[0] for file in files if len(file.parts) > 1}


def _tests(root: Path) -> Iterator[tuple[str, Path]]:
    """The files of tests, each with its level."""
    for level in LEVELS:
        for path in sorted((root / "tests" / level).rglob("test_*.py")):
            yield level, path


def silent_tests(root: Path) -> list[str]:
    """Tests that do not assert visibly, but only call."""
    return [
        f"{path.relative_to(root)}::{one.name} does not assert"
        for _, path in _tests(root)
        for one in _functions(path)
        if one.name.startswith("test_") and not any(map(_is_assertion, ast.walk(one)))
    ]


def _is_assertion(node: ast.AST) -> bool:
    if isinstance(node, ast.Call):
        called = node.func
        name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
        return name in CHECKS or name.startswith(BEGINNINGS)
    return isinstance(node, ast.Assert)
