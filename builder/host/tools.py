"""Programs of the host that the builder runs: ``tools.toml`` beside this file, read once.

Only the standard library is used here: bootstrap reads the table before there is an environment.
"""

from __future__ import annotations

import importlib.util
import shutil
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path

TABLE = Path(__file__).with_name("tools.toml")
SYSTEM_PATH = "/usr/sbin:/sbin:/usr/bin:/bin"


class Need(StrEnum):
    """Who needs a tool; the words are explained at the head of the table."""

    BUILD = "build"
    MMDEBSTRAP = "mmdebstrap"
    YUM = "yum"
    ENGINE = "engine"
    MMDEBSTRAP_USER = "mmdebstrap-user"
    INSTALL = "install"
    STORE = "store"
    MEASURE = "measure"
    TEST = "test"
    LONG = "long"


@dataclass(frozen=True)
class Tool:
    """``name``: the program, file or Python module.  ``package``: Debian's.

    ``purpose``: completes "it is needed".  ``ask``: the options that print its version; none if
    it has no such options.
    """

    name: str
    package: str
    purpose: str
    need: Need
    ask: tuple[str, ...] = ("--version",)
    module: bool = False


@cache
def table() -> Mapping[str, Tool]:
    """All tools by name, in the table's order.

    Raises ValueError, TypeError or KeyError if the table is not well-formed.
    """
    rows = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    return {name: _tool(name, **row) for name, row in rows.items()}


def _tool(
    name: str,
    *,
    package: str,
    purpose: str,
    need: str,
    ask: Iterable[str] = ("--version",),
    module: bool = False,
) -> Tool:
    return Tool(name, package, purpose, Need(need), tuple(ask), module)


def for_base(method: str, *, root: bool) -> tuple[Tool, ...]:
    """The tools that a build in a base of this method needs, run by root or by another user.

    dockerd is not among them: whether it is needed depends on the engines that answer.
    """
    programs = tuple(tool for tool in of(Need.BUILD) if not tool.module)
    return (*programs, *for_method(method, root=root))


def for_method(method: str, *, root: bool) -> tuple[Tool, ...]:
    """The tools that making a base of this method needs, besides those of every build."""
    wanted = {method} if root else {method, f"{method}-user"}
    return tuple(tool for tool in table().values() if tool.need in wanted)


def of(*needs: Need) -> tuple[Tool, ...]:
    """The tools that these need, in the table's order."""
    return tuple(tool for tool in table().values() if tool.need in needs)


def find(name: str) -> str | None:
    """Path of a program, on PATH or in the system's folders; of a file, if it is present."""
    return shutil.which(name) or shutil.which(name, path=SYSTEM_PATH) or _file(name)


def _file(name: str) -> str | None:
    return name if name.startswith("/") and Path(name).exists() else None


def is_present(tool: Tool) -> bool:
    """Whether this host has it."""
    if tool.module:
        return importlib.util.find_spec(tool.name) is not None
    return find(tool.name) is not None
