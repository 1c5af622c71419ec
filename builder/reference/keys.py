"""The keys of a struct: type, default and meaning, out of its fields and its docstring."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec import inspect as types

from builder.digest import Digest
from builder.reference.documents import Struct, Written

_KEY = re.compile(r"^``([\w-]+)``: (.*?)(?=^``[\w-]+``: |\Z)", re.MULTILINE | re.DOTALL)
_WORDS: dict[type[types.Type], str] = {
    types.StrType: "text",
    types.IntType: "integer",
    types.FloatType: "number",
    types.BoolType: "boolean",
}


@dataclass(frozen=True)
class FileKey:
    """``default``: as TOML has it; None if the key must be there.  ``meaning``: Markdown."""

    name: str
    type: str
    default: str | None
    meaning: str


@dataclass(frozen=True)
class KeyTable:
    """The tables of the file that a struct reads.

    ``places``: their heads in TOML; of the file's own keys the head is empty.
    """

    title: str
    places: tuple[str, ...]
    keys: tuple[FileKey, ...]


def meanings(struct: Struct) -> dict[str, str]:
    """What the docstrings of a struct and its bases say of keys, each on lines of its own."""
    found: dict[str, str] = {}
    for one in reversed(struct.__mro__):
        text = inspect.cleandoc(one.__doc__ or "") if issubclass(one, msgspec.Struct) else ""
        found |= {name: " ".join(said.split()) for name, said in _KEY.findall(text)}
    return found


def title(struct: Struct) -> str:
    """The first line of a struct's docstring."""
    return inspect.cleandoc(struct.__doc__ or "").partition("\n")[0]


def tables(document: Written, root: Struct) -> list[KeyTable]:
    """All tables of a kind of file, in the order of the structs' fields."""
    places: dict[Struct, list[str]] = {}
    _place(document, root, "", places)
    return [
        KeyTable(title(struct), tuple(heads), _keys(document, struct))
        for struct, heads in places.items()
    ]


def _place(document: Written, struct: Struct, head: str, places: dict[Struct, list[str]]) -> None:
    """Note under ``places`` where a struct and all below it stand."""
    places.setdefault(struct, []).append(head)
    for one in _fields(document, struct):
        for below in structs(one.type):
            _place(document, below, _head(one.type, one.encode_name, head), places)


def _head(kind: types.Type, name: str, above: str) -> str:
    inside = f"{above.strip('[]')}.{name}".strip(".")
    if isinstance(kind, types.DictType):
        return _head(kind.value_type, "NAME", inside)
    return f"[[{inside}]]" if isinstance(kind, types.VarTupleType) else f"[{inside}]"


def _keys(document: Written, struct: Struct) -> tuple[FileKey, ...]:
    said = meanings(struct)
    more = document.more.get(struct, {})
    own = (
        FileKey(
            one.encode_name,
            _type(one.type),
            None if one.required else _default(one),
            said.get(one.encode_name, ""),
        )
        for one in _fields(document, struct)
    )
    return (*own, *(FileKey(name, "text", "", words) for name, words in more.items()))


def _fields(document: Written, struct: Struct) -> list[types.Field]:
    given = document.given.get(struct, ())
    return [one for one in fields_of(struct) if one.encode_name not in given]


def fields_of(struct: Struct) -> tuple[types.Field, ...]:
    """The fields of a struct, those of its bases too."""
    found = types.type_info(struct)
    return found.fields if isinstance(found, types.StructType) else ()


def structs(kind: types.Type) -> Iterator[Struct]:
    """The structs that a value holds, through lists, tables and alternatives."""
    if isinstance(kind, types.StructType):
        yield kind.cls
    elif isinstance(kind, types.VarTupleType):
        yield from structs(kind.item_type)
    elif isinstance(kind, types.DictType):
        yield from structs(kind.value_type)
    elif isinstance(kind, types.UnionType):
        for one in kind.types:
            yield from structs(one)


def _type(kind: types.Type) -> str:
    """How a reader of TOML calls the type of a value."""
    match kind:
        case types.LiteralType():
            return " or ".join(f"`{_toml(value)}`" for value in kind.values)
        case types.UnionType():
            some = (one for one in kind.types if not isinstance(one, types.NoneType))
            return " or ".join(map(_type, some))
        case types.TupleType():
            return f"list of {len(kind.item_types)}"
        case types.CustomType() if kind.cls is Digest:
            return "64 hexadecimal digits"
    return _collection(kind) or _WORDS[type(kind)]


def _collection(kind: types.Type) -> str:
    match kind:
        case types.StructType() | types.DictType(value_type=types.StrType()):
            return "table"
        case types.VarTupleType():
            return "list of tables" if list(structs(kind.item_type)) else "list"
        case types.DictType():
            is_table = isinstance(kind.value_type, types.StructType)
            return "tables by name" if is_table else "lists by name"
    return ""


def _default(field: types.Field) -> str:
    """As TOML has it; empty where nothing stands for it."""
    value = field.default
    if isinstance(value, msgspec.Struct):  # a table that may be left out
        return ""
    if value is None or value is msgspec.NODEFAULT or value in ((), ""):
        return ""
    return f"`{_toml(value)}`"


def _toml(value: Any) -> str:
    return msgspec.json.encode(value).decode()
