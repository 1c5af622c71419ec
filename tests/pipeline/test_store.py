"""A stage's output appears whole or not at all, and is found again only if it is all there."""

from __future__ import annotations

import time
from pathlib import Path

from builder.host.paths import Cache
from builder.pipeline.digest import Input
from builder.pipeline.stage import Done
from builder.pipeline.store import LOG, OUTPUT, Store

INPUTS = (Input("source", "aa"),)


def commit(store: Store, work: Path, text: str = "made") -> Done:
    (work / OUTPUT / "deep").mkdir(parents=True)
    (work / OUTPUT / "deep" / "file").write_text(text)
    log = work.parent / "log"
    log.write_text("what happened")
    return store.commit(
        "build:x",
        "k" * 64,
        INPUTS,
        work,
        listed=True,
        by_content=False,
        started=time.time(),
        facts={"objects": "3"},
        log=log,
    )


def test_a_committed_output_is_found_with_its_facts_and_log(tmp_path: Path) -> None:
    store = Store(Cache(tmp_path / "cache"))
    made = commit(store, tmp_path / "work")
    found = store.find("build:x", "k" * 64)
    assert found is not None
    assert found.hit
    assert not made.hit
    assert (found.path / "deep" / "file").read_text() == "made"
    assert found.manifest.facts == {"objects": "3"}
    assert (found.path.parent / LOG).read_text() == "what happened"


def test_another_key_is_not_found(tmp_path: Path) -> None:
    store = Store(Cache(tmp_path / "cache"))
    commit(store, tmp_path / "work")
    assert store.find("build:x", "m" * 64) is None


def test_a_key_that_shares_its_beginning_is_not_taken_for_the_other(tmp_path: Path) -> None:
    store = Store(Cache(tmp_path / "cache"))
    commit(store, tmp_path / "work")
    assert store.find("build:x", "k" * 40 + "m" * 24) is None


def test_an_output_with_a_missing_or_shortened_file_is_not_found(tmp_path: Path) -> None:
    store = Store(Cache(tmp_path / "cache"))
    made = commit(store, tmp_path / "work")
    (made.path / "deep" / "file").write_text("cut")
    assert store.find("build:x", "k" * 64) is None
    (made.path / "deep" / "file").unlink()
    assert store.find("build:x", "k" * 64) is None


def test_a_broken_manifest_is_not_an_output(tmp_path: Path) -> None:
    store = Store(Cache(tmp_path / "cache"))
    made = commit(store, tmp_path / "work")
    (made.path.parent / "stage.json").write_text("{")
    assert store.find("build:x", "k" * 64) is None


def test_committing_again_replaces_what_was_there(tmp_path: Path) -> None:
    store = Store(Cache(tmp_path / "cache"))
    commit(store, tmp_path / "work")
    again = commit(store, tmp_path / "work", "anew")
    assert (again.path / "deep" / "file").read_text() == "anew"
    assert [path.name for path in again.path.parent.parent.iterdir()] == ["k" * 20]
