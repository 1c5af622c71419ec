"""``dockerfiles/<base>/packages.lock``: the packages of a base's images.

It has one table for each root, ``[build]`` and ``[guest.NAME]``, with one line for each package.
"""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec

from builder import names, toml
from builder import text as texts
from builder.base.packages import BasePackage
from builder.digest import Digest
from builder.host.whole import write_whole
from builder.values import Line

FILE_NAME = "packages.lock"
BUILD, GUEST = "build", "guest"
_HINT = "restore its last good version from git, or remove it and run: invoke image --lock"
_LABEL = re.compile(r"^([A-Za-z0-9][A-Za-z0-9+._-]*):([A-Za-z0-9_-]+)$")
_HEADER = """\
# The packages that the images of base {base} are made of: name and architecture, version, and the
# SHA-256 of the .deb or .rpm as it came.  Written by `invoke image --lock`; commit it.
"""


class _Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: Line
    sha256: Digest


class _Locked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    made: Annotated[datetime.datetime, msgspec.Meta(tz=True)]
    packages: dict[str, Any]


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    build: dict[str, Any] | None = None
    guest: dict[str, dict[str, Any]] = {}


class LockedRoot(msgspec.Struct, frozen=True):
    """The packages of one root, sorted; ``made``: when they were downloaded, in UTC."""

    made: datetime.datetime
    packages: tuple[BasePackage, ...]


Roots = Mapping[str, LockedRoot]
"""By name: ``build``, or ``guest.NAME``."""


def path_of(folder: Path) -> Path:
    """The path of the lock file of the base in ``folder``."""
    return folder / FILE_NAME


def read(path: Path) -> dict[str, LockedRoot] | None:
    """The roots of a lock file; None if the file does not exist.

    Raises UsageError with file and line if it cannot be parsed.
    """
    try:
        text = texts.read(path, hint=_HINT)
    except FileNotFoundError:
        return None
    document = toml.parse(path, text, hint=_HINT)
    file = toml.convert(path, text, document, _File, "", hint=_HINT)
    tables: dict[str, Any] = {BUILD: file.build} if file.build is not None else {}
    for name in file.guest:
        if not names.is_name(name):
            cause = f"{names.shown(name)} is not the name of a guest root: {names.RULE}"
            raise toml.refuse(path, toml.line_of(text, f"{GUEST}.{name}"), cause, _HINT)
    tables |= {f"{GUEST}.{name}": table for name, table in file.guest.items()}
    return {name: _root(path, text, name, table) for name, table in tables.items()}


def _root(path: Path, text: str, name: str, value: Any) -> LockedRoot:
    table = toml.convert(path, text, value, _Locked, name, hint=_HINT)
    return LockedRoot(table.made, tuple(sorted(_packages(path, text, name, table.packages))))


def _packages(path: Path, text: str, root: str, lines: Mapping[str, Any]) -> Iterator[BasePackage]:
    for label, value in lines.items():
        place = f"{root}.packages.{label}"
        found = _LABEL.match(label)
        if not found:
            cause = f"{names.shown(label)} is not of the form NAME:ARCHITECTURE"
            raise toml.refuse(path, toml.line_of(text, place), cause, _HINT)
        for one in value if isinstance(value, list) else [value]:
            line = toml.convert(path, text, one, _Line, place, hint=_HINT)
            yield BasePackage(found[1], line.version, found[2], line.sha256)


def write(path: Path, roots: Roots) -> bool:
    """Write ``roots`` to the lock file, keep its other roots; return whether it has changed.

    A root with the same packages keeps its time.  The caller must exclude other processes.
    Raises UsageError for a lock file that cannot be parsed.
    """
    before = read(path) or {}
    now = dict(before)
    for name, root in roots.items():
        if name not in before or before[name].packages != root.packages:
            now[name] = root
    if path.exists() and now == before:
        return False
    write_whole(path, _render(path.parent.name, now).encode())
    return True


def _render(base: str, roots: Roots) -> str:
    text = _HEADER.format(base=base)
    for name in sorted(roots):
        kind, _, guest = name.partition(".")
        table = f"{kind}.{json.dumps(guest)}" if "." in guest else name
        made = roots[name].made.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        text += f"\n[{table}]\nmade = {made}\n\n[{table}.packages]\n"
        text += "".join(_lines(roots[name].packages))
    return text


def _lines(packages: Iterable[BasePackage]) -> Iterator[str]:
    """One line for each name and architecture; a list where a root has several versions."""
    found: dict[str, list[str]] = {}
    for one in sorted(packages):
        value = f"{{ version = {json.dumps(one.version)}, sha256 = {json.dumps(one.sha256)} }}"
        found.setdefault(one.label, []).append(value)
    for label, values in found.items():
        value = values[0] if len(values) == 1 else f"[{', '.join(values)}]"
        yield f"{json.dumps(label)} = {value}\n"
