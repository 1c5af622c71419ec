"""A task with --json answers in JSON whatever happens: one document, on standard output."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.world import PATCH, World

SMALL = ("--profile", "small")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LVS_BUILDER_CACHE", str(tmp_path / "cache"))


def test_a_rejected_hunk_is_in_the_one_document_with_the_failure(small: World) -> None:
    small.write_patches(say_two=PATCH.replace('puts("one")', 'puts("eleven")'))
    ended = small.run("patch", "--check", "--json", *SMALL)
    found = json.loads(ended.output)
    assert (ended.status, found["failure"]["status"]) == (5, 5)
    assert found["components"]["tool"]["patches"][0]["name"] == "say_two.patch"
    small.write_patches(say_two=PATCH)
    ended = small.run("patch", "--check", "--json", *SMALL)
    assert (ended.status, json.loads(ended.output)["failure"]) == (0, None)


def test_a_source_that_nobody_has_is_a_failure_of_its_stage(small: World) -> None:
    (small.project / "tool-1.0.tar.gz").unlink()
    ended = small.run("patch", "--json", *SMALL)
    assert ended.output, ended.errors
    failure = json.loads(ended.output)["failure"]
    assert (ended.status, failure["status"], failure["stage"]) == (3, 3, "fetch:tool")
