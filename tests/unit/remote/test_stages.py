"""One machine's finished stages are another's, if an accepted key has signed them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from builder.commands.produce import _counted
from builder.errors import EnvironmentFailure
from builder.pipeline.elsewhere import HERE, NOT_ACCEPTED
from builder.pipeline.facts import BuildFacts
from builder.pipeline.store import LOG, Store
from tests.support.remote import keys
from tests.support.remote.keys import KeyPair
from tests.support.remote.machines import IMAGE, KERNEL, Machine, reader, writer
from tests.support.remote.store import StoreServer


@pytest.fixture
def maker(tmp_path: Path, stage_store: StoreServer, pair: KeyPair) -> Machine:
    """A machine that has built everything, and pushed it."""
    made = Machine(tmp_path / "maker")
    made.run(writer(stage_store.url, pair))
    return made


def test_another_machine_takes_what_was_pushed_and_runs_nothing(
    tmp_path: Path, stage_store: StoreServer, pair: KeyPair, maker: Machine
) -> None:
    other = Machine(tmp_path / "other")
    done = other.run(reader(stage_store.url, pair))
    assert (maker.ran, other.ran) == ([KERNEL, IMAGE], [])
    own = maker.run(None)
    for name in (KERNEL, IMAGE):
        assert done[name].content == own[name].content
        assert done[name].manifest.outputs == own[name].manifest.outputs
        assert not done[name].hit
    assert done[KERNEL].facts(BuildFacts).objects == 4400
    assert (done[KERNEL].path / "link").readlink() == Path("program")
    assert Store(other.cache).fault(done[KERNEL]) == ""
    again = Machine(tmp_path / "other").run(None)
    assert all(stage.hit for stage in again.values())


def test_a_host_that_cannot_run_a_stage_takes_it(
    tmp_path: Path, stage_store: StoreServer, pair: KeyPair, maker: Machine
) -> None:
    """It has no engine, or its apt does not know the base's suite."""
    other = Machine(tmp_path / "other", lacks="an engine")
    other.run(reader(stage_store.url, pair))
    assert (maker.ran, other.ran) == ([KERNEL, IMAGE], [])
    changed = Machine(tmp_path / "other", "2", lacks="an engine")
    for store in (reader(stage_store.url, pair), None):
        with pytest.raises(EnvironmentFailure, match="an engine"):
            changed.run(store)
    assert changed.ran == []


def test_where_a_stage_came_from_is_told_everywhere(
    tmp_path: Path, stage_store: StoreServer, pair: KeyPair, maker: Machine
) -> None:
    other = Machine(tmp_path / "other")
    done = other.run(reader(stage_store.url, pair))
    origin = done[KERNEL].manifest.provenance
    assert origin is not None
    assert (origin.store, origin.signer) == (stage_store.url, "ci")
    words = f"from the stage store {stage_store.url}, signed by ci"
    assert other.explain() == [
        f"{name}: nothing has changed (it came {words})" for name in (KERNEL, IMAGE)
    ]
    assert words in (done[KERNEL].path.parent / LOG).read_text()
    assert any(words in line for line in other.told)
    assert maker.explain()[0] == f"{KERNEL}: nothing has changed"
    expected = maker.ledger.last(KERNEL)
    known = other.ledger.last(KERNEL)
    assert expected is not None
    assert known is not None
    assert known.seconds == expected.seconds  # what it takes to run it


def test_a_run_says_how_many_stages_it_took(
    tmp_path: Path, stage_store: StoreServer, pair: KeyPair, maker: Machine
) -> None:
    done = Machine(tmp_path / "other").run(reader(stage_store.url, pair), forced=(IMAGE,))
    told = _counted(list(done.values()), 2, 3.0)
    assert told == "1 of 2 stages ran in 3.0 s, 1 came from the stage store"
    assert _counted([done[IMAGE]], 2, 3.0) == "1 of 2 stages ran in 3.0 s"


def test_a_push_ends_with_the_signature(stage_store: StoreServer, maker: Machine) -> None:
    puts = [path for method, path in stage_store.asked if method == "PUT"]
    for stage in ("build-kernel", "vm"):
        suffixes = [Path(path).suffix for path in puts if f"/v1/{stage}/" in path]
        assert suffixes == [".tar", ".json", ".sig"]
    assert len(maker.told) == 2
    assert all("the stage store got it" in line for line in maker.told)


def test_other_inputs_are_another_entry(
    tmp_path: Path, stage_store: StoreServer, pair: KeyPair, maker: Machine
) -> None:
    other = Machine(tmp_path / "other", value="2")
    other.run(reader(stage_store.url, pair))
    assert other.ran == [KERNEL, IMAGE]
    assert other.told == []


def test_what_is_forced_runs_here(
    tmp_path: Path, stage_store: StoreServer, pair: KeyPair, maker: Machine
) -> None:
    other = Machine(tmp_path / "other")
    other.run(reader(stage_store.url, pair), forced=(KERNEL,))
    assert other.ran == [KERNEL]


def test_what_was_taken_is_not_pushed_and_what_is_there_is_not_pushed_again(
    tmp_path: Path, stage_store: StoreServer, pair: KeyPair, maker: Machine
) -> None:
    before = stage_store.count("PUT")
    Machine(tmp_path / "other").run(writer(stage_store.url, pair))
    assert stage_store.count("PUT") == before
    third = Machine(tmp_path / "third")
    third.run(writer(stage_store.url, pair), forced=(KERNEL,))
    assert stage_store.count("PUT") == before
    assert not any("got it" in line for line in third.told)


def test_what_was_made_before_there_was_a_store_is_pushed_by_the_next_run(
    tmp_path: Path, stage_store: StoreServer, pair: KeyPair
) -> None:
    """So is what an earlier run could not push, because it was killed or the store was away."""
    maker, other = Machine(tmp_path / "maker"), Machine(tmp_path / "other")
    maker.run(None)
    maker.ran.clear()
    maker.run(writer(stage_store.url, pair))
    other.run(reader(stage_store.url, pair))
    assert (maker.ran, other.ran) == ([], [])
    before = stage_store.count("PUT")
    maker.run(writer(stage_store.url, pair))
    assert stage_store.count("PUT") == before


def test_what_has_changed_since_it_was_made_is_not_pushed(
    tmp_path: Path, stage_store: StoreServer, pair: KeyPair
) -> None:
    maker = Machine(tmp_path / "maker")
    path = maker.run(None)[KERNEL].path / "program"
    before = path.stat()
    path.write_text("#!/bin/ls\n")  # of the same length
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    maker.run(writer(stage_store.url, pair))
    assert any("program has changed" in line for line in maker.told), maker.said.getvalue()
    assert not list((stage_store.root / "v1").glob("build-kernel/*"))


def test_a_key_with_a_passphrase_is_reported_and_nobody_is_asked(
    tmp_path: Path, stage_store: StoreServer
) -> None:
    locked = keys.make(tmp_path / "keys", passphrase="five words")
    machine = Machine(tmp_path / "one")
    machine.run(writer(stage_store.url, locked))
    assert machine.ran == [KERNEL, IMAGE]
    assert "passphrase" in machine.told[0]
    assert not any(name.endswith((".json", ".sig")) for name in stage_store.files)


def test_a_machine_that_accepts_nobody_only_pushes(
    tmp_path: Path, stage_store: StoreServer, pair: KeyPair, maker: Machine
) -> None:
    asked = stage_store.count("GET")
    store = writer(stage_store.url, pair)
    other = Machine(tmp_path / "other")
    other.run(type(store)(store.url, (), store.sign, store.password))
    assert other.ran == [KERNEL, IMAGE]
    assert stage_store.count("GET") == asked


def test_alone_nothing_counts_that_came_from_another_machine_or_was_made_of_that(
    tmp_path: Path, stage_store: StoreServer, pair: KeyPair, maker: Machine
) -> None:
    """A release has nothing of the store in it, whatever earlier runs have taken."""
    other = Machine(tmp_path / "other")
    mixed = other.run(reader(stage_store.url, pair), forced=(IMAGE,))
    assert mixed[IMAGE].manifest.provenance is None
    assert mixed[IMAGE].manifest.origins == (pair.accepted.fingerprint,)
    alone = Machine(tmp_path / "other", unshared=HERE)
    assert alone.explain() == [f"{name}: would run, {NOT_ACCEPTED}" for name in (KERNEL, IMAGE)]
    done = alone.run(None)
    assert alone.ran == [KERNEL, IMAGE]
    assert [one.manifest.origins for one in done.values()] == [(), ()]
    assert all(one.hit for one in alone.run(None).values())


def test_what_a_withdrawn_key_has_signed_is_made_again(
    tmp_path: Path, stage_store: StoreServer, pair: KeyPair, stranger: KeyPair, maker: Machine
) -> None:
    other = Machine(tmp_path / "other")
    other.run(reader(stage_store.url, pair, stranger))
    other.run(reader(stage_store.url, pair))
    assert other.ran == []
    done = other.run(reader(stage_store.url, stranger))
    assert other.ran == [KERNEL, IMAGE]
    assert done[KERNEL].manifest.provenance is None


def test_a_manifest_names_stage_key_and_digests(stage_store: StoreServer, maker: Machine) -> None:
    path = stage_store.find(KERNEL, ".json")
    entry = json.loads(path.read_text())
    done = maker.run(None)[KERNEL]
    assert (entry["stage"], entry["key"], entry["content"]) == (KERNEL, done.key, done.content)
    archive = path.with_name(f"{entry['sha256']}.tar")
    assert archive.stat().st_size == entry["size"]
    assert path.name == f"{done.key}.json"
