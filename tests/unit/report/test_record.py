"""``build.json`` is read as it was written, by this version and by those before it."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from builder.pipeline.facts import BuildFacts, FetchFacts, NoFacts
from builder.report import record

DIGEST = "5" * 64
FETCHED = {"url": "file:x", "sha256": DIGEST, "version": "", "variant": "x", "verified": "so"}


def stage(name: str, facts: dict[str, str]) -> dict[str, Any]:
    return {
        "name": name,
        "key": DIGEST,
        "hit": False,
        "started": 1.5,
        "seconds": 2.5,
        "inputs": {},
        "facts": facts,
    }


def earlier(*stages: dict[str, Any]) -> bytes:
    """A record as format 2 wrote it: its facts are texts."""
    made = {
        "profile": "p",
        "flavour": "f",
        "base": "b",
        "stages": stages,
        "outputs": [],
        "format": 2,
    }
    return json.dumps(made).encode()


def test_the_facts_of_an_earlier_record_are_of_their_stages_kinds() -> None:
    built = {"objects": "312", "container_seconds": "4.25"}
    made = record.decode(
        earlier(stage("fetch:tool", FETCHED), stage("build:tool", built), stage("prep:tool", {}))
    )
    assert [one.facts for one in made.stages] == [
        FetchFacts(**FETCHED),  # type: ignore[arg-type]
        BuildFacts(312, 4.25),
        NoFacts(),
    ]
    assert record.decode(record.encode(made)) == made


@pytest.mark.parametrize(
    "data",
    [
        b"{}",
        earlier(stage("fetch:tool", {"url": "file:x"})),
        earlier(stage("build:tool", {"objects": "-3", "container_seconds": "1"})),
    ],
)
def test_what_is_no_record_is_refused(data: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        record.decode(data)
