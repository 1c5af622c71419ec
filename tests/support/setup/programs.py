"""Which programs of the host the code runs, read from its source."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

from tests.support import syntax

# Functions that take a command line, and those that take a program's name.
LINES = {"run", "start", "Popen", "CheckCommand"}
NAMES = {"require_tool", "which", "_run", "_uris"}


@functools.cache
def named_in(path: Path) -> frozenset[str]:
    """The programs that a module names: as the first word of a command line that it hands to
    one of ``LINES``, also by way of a variable of its own, or to one of ``NAMES``.
    """
    variables = _variables(path)
    found: set[str] = set()
    for node in syntax.nodes(path):
        if not isinstance(node, ast.Call):
            continue
        called = _last_name(node.func)
        if called in NAMES or (called == "find" and isinstance(node.func, ast.Name)):
            found |= set(_constant(node.args[:1]))
        elif called in LINES:
            for argument in node.args:
                found |= set(_first(argument, variables))
    return frozenset(name for name in found if name and " " not in name and name[0] not in "-.")


def _last_name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _variables(path: Path) -> dict[str, list[ast.expr]]:
    """What is assigned to each simple name, anywhere in the module."""
    found: dict[str, list[ast.expr]] = {}
    for node in syntax.nodes(path):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            found.setdefault(node.targets[0].id, []).append(node.value)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
            found.setdefault(node.target.id, []).append(node.value)
    return found


def _constant(nodes: list[ast.expr]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def _first(node: ast.expr, variables: dict[str, list[ast.expr]]) -> Iterator[str]:
    """The literal first words that a command line may have."""
    if isinstance(node, ast.Name):
        for value in variables.get(node.id, []):
            if not isinstance(value, ast.Name):
                yield from _first(value, variables)
    elif isinstance(node, ast.IfExp):
        yield from _first(node.body, variables)
        yield from _first(node.orelse, variables)
    elif isinstance(node, (ast.List, ast.Tuple)):
        yield from _first_element(node.elts, variables)


def _first_element(elements: list[ast.expr], variables: dict[str, list[ast.expr]]) -> Iterator[str]:
    if not elements:
        return
    head = elements[0]
    if not isinstance(head, ast.Starred):
        yield from _constant([head])
        return
    yield from _first(head.value, variables)
    if isinstance(head.value, ast.Call):  # what runs the rest as somebody else
        yield from _first_element(elements[1:], variables)
