"""JSON schemas of the files that people write, for editors that complete and check TOML.

Draft 7, which editors understand.  A schema allows no key that the loader refuses; what only the
whole file shows (names of things that are not there) is the loader's alone to refuse.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from builder.digest import Digest
from builder.reference import keys
from builder.reference.documents import Struct, Written

DRAFT = "http://json-schema.org/draft-07/schema#"
_DIGEST = {"type": "string", "pattern": "^[0-9a-fA-F]{64}$"}


def render(document: Written) -> str:
    """The schema of a kind of file, as the text of its file."""
    refs, components = msgspec.json.schema_components(
        document.roots, schema_hook=_custom, ref_template="#/definitions/{name}"
    )
    for struct in _structs(document.roots):
        _amend(document, struct, components[struct.__name__])
    root = dict(next(iter(refs))) if len(document.roots) == 1 else {"oneOf": list(refs)}
    whole = {
        "$schema": DRAFT,
        "title": document.place,
        **root,
        "definitions": components,
    }
    return json.dumps(_portable(whole), indent=2) + "\n"


def _custom(kind: type[Any]) -> dict[str, Any]:
    if kind is Digest:
        return dict(_DIGEST)
    raise TypeError(f"{kind} has no schema")


def _structs(roots: tuple[Struct, ...]) -> Iterator[Struct]:
    """The structs of a file, each once."""
    found = dict.fromkeys(roots)
    waiting = list(roots)
    while waiting:
        struct = waiting.pop()
        yield struct
        for one in keys.fields_of(struct):
            for below in keys.structs(one.type):
                if below not in found:
                    found[below] = None
                    waiting.append(below)


def _amend(document: Written, struct: Struct, schema: dict[str, Any]) -> None:
    """Let the schema of a struct have what the file has, and what its keys mean."""
    schema["description"] = inspect.cleandoc(struct.__doc__ or "").partition("\n")[0]
    properties: dict[str, Any] = schema["properties"]
    for name in document.given.get(struct, ()):
        del properties[name]
    meanings = keys.meanings(struct)
    for name, what in properties.items():
        if name not in meanings:
            raise ValueError(
                f"the docstring of {struct.__module__}.{struct.__name__} lacks a line "
                f"``{name}``: what it means."
            )
        properties[name] = {**_described(what), "description": meanings[name]}
    for name, words in document.more.get(struct, {}).items():
        properties[name] = {"type": "string", "description": words}
    schema["required"] = [name for name in schema.get("required", ()) if name in properties]


def _described(what: dict[str, Any]) -> dict[str, Any]:
    """A property that may have a description: beside a reference, draft 7 sees nothing else."""
    return {"allOf": [what]} if "$ref" in what else what


def _portable(value: Any) -> Any:
    """The same as draft 7 and ECMA 262 have it: regular expressions, lists of fixed length."""
    if isinstance(value, list):
        return [_portable(one) for one in value]
    if not isinstance(value, dict):
        return value
    made = {name: _portable(one) for name, one in value.items()}
    if isinstance(made.get("pattern"), str):
        made["pattern"] = re.sub(r"\\Z", "$", made["pattern"])
    if "prefixItems" in made:
        made["items"] = made.pop("prefixItems")
    return made
