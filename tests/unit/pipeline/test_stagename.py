"""A stage's name says its kind and what it is about, in texts and in paths."""

from __future__ import annotations

import re

import pytest

from builder.digest import decode, encode
from builder.pipeline import stagename
from builder.pipeline.stagename import StageKind
from tests.world import ROOT


@pytest.mark.parametrize(
    ("name", "kind", "subject"),
    [
        (StageKind.BUILD.of("lvs-director"), StageKind.BUILD, "lvs-director"),
        (stagename.GUEST_ROOT, StageKind.IMAGE, "guest"),
        (stagename.SMOKE, StageKind.SMOKE, ""),
    ],
)
def test_a_name_is_taken_apart_as_it_was_made(
    name: stagename.StageName, kind: StageKind, subject: str
) -> None:
    assert (name.kind, name.subject) == (kind, subject)
    assert stagename.parse(str(name)) == name
    assert stagename.of_folder(stagename.folder_of(name)) == name
    assert ":" not in stagename.folder_of(name)


def test_names_are_the_texts_that_people_write() -> None:
    assert StageKind.BUILD.of("kernel") == "build:kernel"
    assert stagename.folder_of("build:kernel") == "build-kernel"
    assert stagename.SMOKE == "smoke"


def test_what_begins_with_no_kind_is_no_name() -> None:
    with pytest.raises(ValueError, match="frobnicate"):
        stagename.parse("frobnicate:kernel")


def test_no_kind_can_be_mixed_up_in_a_path() -> None:
    assert not any(set("-:") & set(kind) for kind in StageKind)


def test_a_name_is_written_to_files_as_plain_text() -> None:
    assert decode(encode([StageKind.PREP.of("frr")]), list[str]) == ["prep:frr"]


def test_no_other_module_spells_a_name() -> None:
    spelt = re.compile(rf"""["'](?:{"|".join(StageKind)}):(?! )""")
    sources = [ROOT / "tasks.py", *(ROOT / "builder").rglob("*.py")]
    assert len(sources) > 100
    found = {path.name for path in sources if spelt.search(path.read_text(encoding="utf-8"))}
    assert found == set()
