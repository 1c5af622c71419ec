"""The reference is what the code says today, and its schemas take and refuse what the code does."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fastjsonschema
import msgspec
import pytest

from builder.pipeline.stagename import StageKind
from builder.reference import keys, pages, schemas
from builder.reference.__main__ import files, write
from builder.reference.documents import DOCUMENTS, Written
from tests.world import ROOT

WITH_SCHEMA = [one for one in DOCUMENTS if one.schema]


def written(document: Written) -> list[Path]:
    """The checkout's own files of a kind."""
    if document.example:
        return [ROOT / document.example]
    pattern = "/".join("*" if "<" in part else part for part in document.place.split("/"))
    found = sorted(ROOT.glob(pattern.replace("*", "*.toml") if pattern.endswith("/*") else pattern))
    assert found
    return found


def validator(document: Written) -> Callable[[Any], Any]:
    compiled: Callable[[Any], Any] = fastjsonschema.compile(
        json.loads((ROOT / document.schema).read_text()), use_default=False
    )
    return compiled


@pytest.mark.parametrize("path", files())
def test_a_file_of_the_reference_is_what_the_code_says(path: str) -> None:
    assert (ROOT / path).read_text() == files()[path], "run: python -m builder.reference"


def test_the_reference_is_written_as_a_whole(tmp_path: Path) -> None:
    write(tmp_path)
    found = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert found == set(files())


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda one: one.title)
def test_every_key_says_what_it_means(document: Written) -> None:
    for root in document.roots:
        for table in keys.tables(document, root):
            assert [key.name for key in table.keys if not key.meaning] == []
            assert table.title.endswith(".")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda one: one.title)
def test_no_docstring_explains_a_key_that_is_not_there(document: Written) -> None:
    for root in document.roots:
        for struct in (
            root,
            *(one for field in keys.fields_of(root) for one in keys.structs(field.type)),
        ):
            fields = {one.encode_name for one in keys.fields_of(struct)}
            assert set(keys.meanings(struct)) <= fields


class Silent(msgspec.Struct):
    """A file of which nobody says what its key means."""

    colour: str = ""


def test_a_key_without_a_meaning_is_named_with_its_struct() -> None:
    with pytest.raises(ValueError, match=r"test_reference\.Silent lacks a line ``colour``: "):
        schemas.render(Written("Silent", "silent.toml", (Silent,)))


def test_every_kind_of_stage_is_described() -> None:
    assert set(pages.STAGES) == set(StageKind)


@pytest.mark.parametrize("document", WITH_SCHEMA, ids=lambda one: one.title)
def test_our_files_name_their_schema_and_obey_it(document: Written) -> None:
    validate = validator(document)
    for path in written(document):
        text = path.read_text()
        head, _, schema = text.partition("\n")[0].partition(" ")
        assert head == "#:schema", path
        assert (path.parent / schema).resolve() == ROOT / document.schema
        validate(tomllib.loads(text))


@pytest.mark.parametrize("document", WITH_SCHEMA, ids=lambda one: one.title)
def test_a_schema_refuses_what_the_loader_refuses(document: Written) -> None:
    validate = validator(document)
    good = tomllib.loads(written(document)[0].read_text())
    validate(good)
    for bad in (
        {**good, "no-such-key": 1},
        {key: value for key, value in good.items() if key not in {"summary", "method"}},
        {**good, "summary": 7, "epoch": "today"},
    ):
        if bad != good:  # a kind of file may require no key
            with pytest.raises(fastjsonschema.JsonSchemaValueException):
                validate(bad)


def test_a_schema_refuses_forms_and_what_the_loader_fills_in() -> None:
    profile = WITH_SCHEMA[0]
    validate = validator(profile)
    good = tomllib.loads((ROOT / "specs/lts/profile.toml").read_text())
    component = {**good["component"]["ipvsadm"]}
    for bad in ({"version": "1-2"}, {"name": "ipvsadm"}, {"needs": ["Not/A/Name"]}):
        with pytest.raises(fastjsonschema.JsonSchemaValueException):
            validate({**good, "component": {"ipvsadm": {**component, **bad}}})
