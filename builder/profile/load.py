"""Reads profiles; every complaint names file and line."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from builder.errors import UsageError
from builder.profile.model import Component, Flavour, Profile
from builder.source.model import Source

T = TypeVar("T")

FILE_NAME = "profile.toml"
_TABLE = re.compile(r"^\s*\[{1,2}\s*([^\]]+?)\s*\]{1,2}\s*(#.*)?$")
_KEY = re.compile(r"""^\s*["']?([A-Za-z0-9_.-]+)["']?\s*=""")
_UNKNOWN = re.compile(r"unknown field `([^`]+)`")


def available(specs: Path) -> tuple[str, ...]:
    """Names of the profiles in ``specs``, sorted."""
    return tuple(sorted(path.parent.name for path in specs.glob(f"*/{FILE_NAME}")))


def _line_of(text: str, dotted: str) -> int:
    """Line (from 1) of the key or table that ``dotted`` (``component.kernel.version``) names.

    Falls back to the nearest table above it; array positions are ignored.
    """
    wanted = re.sub(r"\[[^\]]*\]", "", dotted).strip(".")
    best, best_depth, table = 1, -1, ""
    for number, line in enumerate(text.splitlines(), 1):
        header = _TABLE.match(line)
        key = _KEY.match(line)
        if header:
            table = header[1].replace('"', "").replace("'", "")
            here = table
        elif key:
            here = f"{table}.{key[1]}" if table else key[1]
        else:
            continue
        if (wanted == here or wanted.startswith(here + ".")) and len(here) > best_depth:
            best, best_depth = number, len(here)
    return best


def _refuse(path: Path, line: int, cause: str, hint: str) -> UsageError:
    return UsageError(f"{path.parent.name}/{path.name}:{line} cannot be used", cause, hint)


def _convert(path: Path, text: str, value: Any, kind: type[T], prefix: str) -> T:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        words, _, place = str(error).partition(" - at ")
        below = place.strip("`").lstrip("$").lstrip(".")
        unknown = _UNKNOWN.search(words)
        parts = (prefix, below, unknown[1] if unknown else "")
        dotted = ".".join(part for part in parts if part)
        raise _refuse(
            path,
            _line_of(text, dotted),
            f"{dotted or 'document'}: {words}",
            "see docs/profiles.md for the keys and their types",
        ) from error


def _entries(
    path: Path, text: str, document: dict[str, Any], section: str, kind: type[T]
) -> dict[str, T]:
    """The tables ``[section.NAME]``, each converted by itself so that errors name it."""
    tables = _convert(path, text, document.pop(section, {}), dict[str, dict[str, Any]], section)
    if kind is Source:
        tables = {name: {"name": name, **table} for name, table in tables.items()}
    return {
        name: _convert(path, text, table, kind, f"{section}.{name}")
        for name, table in tables.items()
    }


def _decode(path: Path, text: str) -> Profile:
    try:
        document: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"line (\d+)", str(error))
        line = int(found[1]) if found else len(text.splitlines())
        raise _refuse(path, line, str(error), "mend the TOML syntax on that line") from error
    flavours = _entries(path, text, document, "flavour", Flavour)
    components = _entries(path, text, document, "component", Component)
    sources = _entries(path, text, document, "source", Source)
    whole = {
        **document,
        "name": path.parent.name,
        "flavour": flavours,
        "component": components,
        "source": sources,
    }
    return _convert(path, text, whole, Profile, "")


def _check_references(path: Path, text: str, profile: Profile) -> None:
    if profile.default_flavour not in profile.flavour:
        raise _refuse(
            path,
            _line_of(text, "default_flavour"),
            f"default_flavour names {profile.default_flavour!r}, which is no flavour",
            f"flavours: {', '.join(profile.flavour)}",
        )
    for name, component in profile.component.items():
        for place, source in _named_sources(component):
            if source not in profile.source:
                raise _refuse(
                    path,
                    _line_of(text, f"component.{name}.{place}"),
                    f"component {name} names source {source!r}, which has no table",
                    f"sources: {', '.join(profile.source)}",
                )
        _check_needs(path, text, profile, name)
    _check_keys(path, text, profile)
    _check_layouts(path, text, profile)


def _check_keys(path: Path, text: str, profile: Profile) -> None:
    for name, source in profile.source.items():
        for one in source.signed_by:
            if not (path.parent / one.key).is_file():
                raise _refuse(
                    path,
                    _line_of(text, f"source.{name}.signed_by"),
                    f"source {name} is to be signed by {one.key}, which does not exist",
                    "put the armoured public key there",
                )


def _named_sources(component: Component) -> Iterator[tuple[str, str]]:
    """Key and source name of every mention."""
    if component.source:
        yield "source", component.source
    for patch in component.foreign_patches():
        yield "patches", patch.source


def _check_needs(path: Path, text: str, profile: Profile, name: str) -> None:
    """What a component needs must be there, and must not need the component in turn."""
    seen: set[str] = set()
    waiting = list(profile.component[name].needs)
    while waiting:
        need = waiting.pop()
        if need not in profile.component or need == name:
            raise _refuse(
                path,
                _line_of(text, f"component.{name}.needs"),
                f"component {name} needs {need!r}, which "
                + ("needs it in turn" if need == name else "has no table"),
                f"components: {', '.join(profile.component)}",
            )
        if need not in seen:
            seen.add(need)
            waiting += profile.component[need].needs


def _check_layouts(path: Path, text: str, profile: Profile) -> None:
    """A layout check compares copies of components that have sources."""
    for check in profile.layout:
        known = [name for name, component in profile.component.items() if component.source]
        absent = [copy.component for copy in check.copies if copy.component not in known]
        if absent or len(check.copies) < 2:
            raise _refuse(
                path,
                _line_of(text, "layout"),
                f"a layout check names {absent[0]!r}, which is no component with a source"
                if absent
                else "a layout check needs two copies or more",
                f"components with sources: {', '.join(known)}",
            )


def load(specs: Path, name: str) -> Profile:
    """The profile ``name`` of the folder ``specs``.

    Raises UsageError with file and line for unknown keys, wrong types and references to
    things that are not there; with the list of profiles if there is none of that name.
    """
    path = specs / name / FILE_NAME
    if "/" in name or not path.is_file():
        raise UsageError(
            f"there is no profile {name!r}",
            f"{path.parent.name}/{FILE_NAME} does not exist",
            f"profiles: {', '.join(available(specs)) or 'none'}",
        )
    text = path.read_text()
    profile = _decode(path, text)
    _check_references(path, text, profile)
    return profile
