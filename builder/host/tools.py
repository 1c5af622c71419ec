"""Programs of the host that the builder runs: ``tools.toml`` beside this file, read once.

Only the standard library is used here: bootstrap reads the table before there is an environment.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path

from builder import names
from builder.errors import UsageError

TABLE = Path(__file__).with_name("tools.toml")
PLACE = "builder/host/tools.toml"
_REQUIRED = ("package", "purpose", "need")
_KEYS = (*_REQUIRED, "ask", "module")
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

    Raises UsageError, with file and line, if the table is not well-formed.
    """
    text = TABLE.read_text(encoding="utf-8", errors="replace")
    try:
        rows = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"line (\d+)", str(error))
        raise _refuse(int(found[1]) if found else len(text.splitlines()), str(error)) from error
    return {name: _tool(text, name, row) for name, row in rows.items()}


def _tool(text: str, name: str, row: object) -> Tool:
    if not isinstance(row, dict):
        raise _refuse(_line_of(text, name), f"{name} is not a table: write [{name}]")
    for key, value in row.items():
        fault = _fault(key, value)
        if fault:
            raise _refuse(_line_of(text, name, key), f"{name}.{key}: {fault}")
    lacking = [key for key in _REQUIRED if key not in row]
    if lacking:
        raise _refuse(_line_of(text, name), f"{name} has no {' and no '.join(lacking)}")
    ask = tuple(row.get("ask", Tool.ask))
    return Tool(**{**row, "name": name, "need": Need(row["need"]), "ask": ask})


def _fault(key: str, value: object) -> str:
    """What is wrong with a key of a row; empty if nothing is."""
    if key not in _KEYS:
        return f"unknown key{names.nearest(key, _KEYS)}"
    if key == "module":
        return "" if isinstance(value, bool) else "not true or false"
    if key == "ask":
        good = isinstance(value, list) and all(isinstance(one, str) for one in value)
        return "" if good else "not a list of texts"
    if not isinstance(value, str) or not value.strip():
        return "not a text, or an empty one"
    if key == "need" and value not in list(Need):
        near = names.nearest(value, [need.value for need in Need])
        return f"{names.shown(value)} is none of {', '.join(Need)}{near}"
    return ""


def _line_of(text: str, name: str, key: str = "") -> int:
    """The line of a table's key, or of its head."""
    head, inside = 1, False
    for number, line in enumerate(text.splitlines(), 1):
        word = line.partition("#")[0].strip()
        if word.startswith("["):
            inside = word.strip("[] ").strip("\"'") == name
            head = number if inside else head
        elif (inside and key and word.partition("=")[0].strip() == key) or (
            not inside and word.partition("=")[0].strip() == name
        ):
            return number
    return head


def _refuse(line: int, cause: str) -> UsageError:
    hint = f"its head lists the keys: head -n 21 {PLACE}"
    return UsageError(f"{PLACE}:{line} cannot be used", cause, hint)


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
