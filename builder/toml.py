"""TOML files that people write: every complaint names file and line."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import inspect as types

from builder import names, values
from builder.digest import read_hook
from builder.errors import UsageError

T = TypeVar("T")

_TABLE = re.compile(r"^\s*\[{1,2}\s*([^\]]+?)\s*\]{1,2}\s*(#.*)?$")
_KEY = re.compile(r"""^\s*(?:"([^"]*)"|'([^']*)'|([A-Za-z0-9_.-]+))\s*=""")
_OPENING = re.compile(r"[\[{]")
_DIGITS = re.compile(r"[0-9_]+")
_UNKNOWN = re.compile(r"unknown field `([^`]+)`")
_NO_CHOICE = re.compile(r"Invalid enum value '(.*)'", re.DOTALL)


def line_of(text: str, dotted: str) -> int:
    """Line (from 1) of the key or table that ``dotted`` (``component.kernel.version``) names.

    A number (``service[1].port``) selects a table of an array.  Falls back to the nearest table
    above it.
    """
    wanted = dotted.strip(".")
    plain = re.sub(r"\[[^\]]*\]", "", wanted)
    counts: dict[str, int] = {}
    best, best_depth, table, numbered = 1, -1, "", True
    for number, line in enumerate(text.splitlines(), 1):
        header = _TABLE.match(line)
        key = _KEY.match(line)
        if header:
            table = header[1].replace('"', "").replace("'", "")
            here = table
            if line.lstrip().startswith("[["):
                counts[table] = counts.get(table, -1) + 1
            numbered = _same_tables(wanted, counts)
        elif key:
            word = key[1] or key[2] or key[3] or ""
            here = f"{table}.{word}" if table else word
        else:
            continue
        fits = plain == here or plain.startswith(here + ".")
        if fits and numbered and len(here) > best_depth:
            best, best_depth = number, len(here)
    return best


def _same_tables(wanted: str, counts: dict[str, int]) -> bool:
    """Whether the arrays of tables, as far as the file was read, are at ``wanted``'s numbers."""
    path = ""
    for part in wanted.split("."):
        name, _, index = part.partition("[")
        path = f"{path}.{name}" if path else name
        known = index.rstrip("]")
        if known.isdigit() and counts.get(path, int(known)) != int(known):
            return False
    return True


def refuse(path: Path, line: int, cause: str, hint: str) -> UsageError:
    """The error for a fault in a file, with its place."""
    return UsageError(f"{names.place_of(path)}:{line} cannot be used", cause, hint)


def parse(
    path: Path, text: str, *, hint: str = "correct the TOML syntax on that line"
) -> dict[str, Any]:
    """The document; raises UsageError for text that is not TOML."""
    if text.startswith("\ufeff"):
        cause = "it begins with a byte-order mark, which no TOML file has"
        command = rf"sed -i '1s/^\xef\xbb\xbf//' {shlex.quote(str(path))}"
        raise refuse(path, 1, cause, f"save it as UTF-8 without one: {command}")
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"line (\d+)", str(error))
        line = int(found[1]) if found else len(text.splitlines())
        raise refuse(path, line, str(error), hint) from error
    except RecursionError as error:
        depths = [len(_OPENING.findall(line)) for line in text.splitlines()]
        line = depths.index(max(depths)) + 1
        raise refuse(path, line, "values are nested too deep", hint) from error
    except ValueError as error:  # sys.get_int_max_str_digits
        lengths = [max(map(len, _DIGITS.findall(line)), default=0) for line in text.splitlines()]
        line = lengths.index(max(lengths)) + 1
        raise refuse(path, line, "a number has too many digits", hint) from error


def require_present_names(
    path: Path, text: str, document: Mapping[str, Any], renamed: Mapping[str, str]
) -> None:
    """Raise UsageError for a key that has another name now.

    ``renamed``: former names of keys (``lab.interfaces``), and their replacements.
    """
    for old, new in renamed.items():
        table: Any = document
        for part in old.split("."):
            table = table.get(part) if isinstance(table, dict) else None
        if table is not None:
            cause = f"{old}: this key is not used any more; {new} takes its place"
            raise refuse(path, line_of(text, old), cause, f"write {new} instead")


def convert(path: Path, text: str, value: Any, kind: type[T], prefix: str, *, hint: str) -> T:
    """``value``, which is at ``prefix`` of the document, as ``kind``; raises UsageError."""
    try:
        return msgspec.convert(value, kind, dec_hook=read_hook)
    except msgspec.ValidationError as error:
        words, _, place = str(error).rpartition(" - at ")
        words, place = (words, place) if words else (place, "")
        below = place.strip("`").lstrip("$").lstrip(".")
        unknown = _UNKNOWN.search(words)
        parts = (prefix, below, unknown[1] if unknown else "")
        dotted = ".".join(part for part in parts if part)
        meant = names.nearest(unknown[1], _keys(kind, below)) if unknown else ""
        choice = _NO_CHOICE.fullmatch(words)
        known = _choices(kind, below) if choice else ()
        if choice and known:
            words = f"{names.shown(choice[1])} is none of {', '.join(known)}"
            meant = names.nearest(choice[1], known)
        cause = f"{dotted or 'document'}: {values.plainly(words)}{meant}"
        raise refuse(path, line_of(text, dotted), cause, hint) from error


def _choices(kind: Any, place: str) -> tuple[str, ...]:
    """The words that ``place`` of a value of ``kind`` may have; none if it may have others."""
    found: list[str] = []
    for one in _types_at(kind, place):
        if isinstance(one, types.LiteralType):
            found += map(str, one.values)
        elif isinstance(one, types.EnumType):
            found += (str(member.value) for member in one.cls)
    return tuple(found)


def _types_at(kind: Any, place: str) -> tuple[types.Type, ...]:
    """The types that a value at ``place`` of a value of ``kind`` may have."""
    found = [types.type_info(kind)]
    for part in re.findall(r"[^.\[\]]+|\[[^\]]*\]", place):
        found = [below for one in found for below in _below(one, part)]
    return tuple(one for kind in found for one in _alternatives(kind))


def _keys(kind: Any, place: str) -> set[str]:
    """The keys that a table at ``place`` of a value of ``kind`` may have."""
    return {
        field.encode_name
        for one in _types_at(kind, place)
        if isinstance(one, types.StructType)
        for field in one.fields
    }


def _below(kind: types.Type, part: str) -> list[types.Type]:
    """The types of the values that ``part`` of msgspec's path leads to."""
    found: list[types.Type] = []
    for one in _alternatives(kind):
        match one:
            case types.StructType():
                found += [field.type for field in one.fields if field.encode_name == part]
            case types.DictType():
                found.append(one.value_type)
            case types.VarTupleType() | types.ListType():
                found.append(one.item_type)
    return found


def _alternatives(kind: types.Type) -> tuple[types.Type, ...]:
    return kind.types if isinstance(kind, types.UnionType) else (kind,)


def convert_tables(
    path: Path, text: str, value: Any, kind: type[T], prefix: str, *, hint: str
) -> dict[str, T]:
    """The tables ``[prefix.NAME]``, each converted by itself so that errors name it."""
    tables = convert(path, text, value, dict[str, dict[str, Any]], prefix, hint=hint)
    for name in tables:
        if not names.is_name(name):
            cause = f"{names.shown(name)} is not the name of a {prefix}: {names.RULE}"
            raise refuse(path, line_of(text, f"{prefix}.{name}"), cause, hint)
    return {
        name: convert(path, text, table, kind, f"{prefix}.{name}", hint=hint)
        for name, table in tables.items()
    }
