"""Modules as syntax trees, each read once: several rules look at all of them."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

from builder.pipeline.code import parsed


@cache
def tree(path: Path) -> ast.Module:
    """The module's tree; nobody may change it."""
    return parsed(path)


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    """All nodes of the module's tree, as ``ast.walk`` gives them."""
    return tuple(ast.walk(tree(path)))
