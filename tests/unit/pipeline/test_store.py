"""A stage's output appears whole or not at all, and is found again only if it is all there."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from builder.digest import Digest, decode
from builder.host.listing import Listing, read
from builder.host.paths import Cache
from builder.pipeline import digest
from builder.pipeline.digest import Input
from builder.pipeline.facts import BuildFacts, FetchFacts
from builder.pipeline.stage import Damaged, Done
from builder.pipeline.status import Status
from builder.pipeline.store import LOG, OUTPUT, Store
from tests.damage import spoil

INPUTS = (Input("source", "aa"),)
KEY = digest.key(INPUTS)


def commit(
    store: Store,
    work: Path,
    text: str = "made",
    *,
    listed: bool = True,
    listing: Listing | None = None,
) -> Done:
    (work / OUTPUT / "deep").mkdir(parents=True)
    (work / OUTPUT / "deep" / "file").write_text(text)
    log = work.parent / "log"
    log.write_text("what happened")
    return store.commit(
        "build:x",
        INPUTS,
        work,
        listed=listed,
        by_content=False,
        started=time.time(),
        facts=BuildFacts(3, 1.5),
        log=log,
        listing=listing,
    )


def test_a_committed_output_is_found_with_its_facts_and_log(tmp_path: Path) -> None:
    store = Store(Cache(tmp_path / "cache"))
    made = commit(store, tmp_path / "work")
    found = store.find("build:x", KEY)
    assert found is not None
    assert found.hit
    assert not made.hit
    assert (found.path / "deep" / "file").read_text() == "made"
    assert found.facts(BuildFacts) == BuildFacts(3, 1.5)
    assert (found.path.parent / LOG).read_text() == "what happened"
    with pytest.raises(TypeError, match="BuildFacts, not FetchFacts"):
        found.facts(FetchFacts)


def test_another_key_is_not_found(tmp_path: Path) -> None:
    store = Store(Cache(tmp_path / "cache"))
    commit(store, tmp_path / "work")
    assert store.find("build:x", Digest("b" * 64)) is None


def test_a_key_that_shares_its_beginning_is_not_taken_for_the_other(tmp_path: Path) -> None:
    store = Store(Cache(tmp_path / "cache"))
    commit(store, tmp_path / "work")
    assert store.find("build:x", Digest(KEY[:40] + "b" * 24)) is None


def test_an_output_with_a_missing_or_shortened_file_is_damaged(tmp_path: Path) -> None:
    store = Store(Cache(tmp_path / "cache"))
    made = commit(store, tmp_path / "work")
    (made.path / "deep" / "file").write_text("cut")
    with pytest.raises(Damaged, match="deep/file has changed"):
        store.find("build:x", KEY)
    (made.path / "deep" / "file").unlink()
    with pytest.raises(Damaged, match="deep/file is missing") as caught:
        store.find("build:x", KEY)
    assert caught.value.exit_code == 4
    assert "invoke verify --fix" in caught.value.hint


@pytest.mark.parametrize("listed", [True, False])
def test_an_output_that_looks_untouched_is_found_without_reading_it(
    tmp_path: Path, listed: bool
) -> None:
    store = Store(Cache(tmp_path / "cache"))
    made = commit(store, tmp_path / "work", listed=listed)
    spoil(made.path / "deep" / "file", b"mad3")
    assert store.find("build:x", KEY) is not None
    assert store.fault(made) == "deep/file has changed"
    with pytest.raises(Damaged):
        store.require(made)


@pytest.mark.parametrize("listed", [True, False])
def test_a_touched_output_is_read_and_remembered(tmp_path: Path, listed: bool) -> None:
    store = Store(Cache(tmp_path / "cache"))
    made = commit(store, tmp_path / "work", listed=listed)
    for path in (made.path, made.path / "deep", made.path / "deep" / "file"):
        os.utime(path, (1, 1))
    assert store.find("build:x", KEY) is not None
    assert decode((made.path.parent / "stage.status").read_bytes(), Status)["."][3] == 10**9


def test_a_cache_that_was_copied_is_as_good(tmp_path: Path) -> None:
    commit(Store(Cache(tmp_path / "cache")), tmp_path / "work")
    shutil.copytree(tmp_path / "cache", tmp_path / "copy")
    assert Store(Cache(tmp_path / "copy")).find("build:x", KEY) is not None


@pytest.mark.parametrize("change", ["more", "mode", "link", "empty folder", "name"])
def test_a_tree_has_one_state(tmp_path: Path, change: str) -> None:
    store = Store(Cache(tmp_path / "cache"))
    made = commit(store, tmp_path / "work", listed=False)
    file = made.path / "deep" / "file"
    changes: dict[str, Callable[[], object]] = {
        "more": lambda: (made.path / "deep" / "more").write_text(""),
        "mode": lambda: file.chmod(0o755),
        "link": lambda: file.replace(made.path / "moved"),
        "empty folder": (made.path / "deep" / "empty").mkdir,
        "name": lambda: file.rename(file.with_name("other")),
    }
    assert store.fault(made) == ""
    changes[change]()
    if change == "link":
        file.symlink_to("../moved")
    assert store.fault(made).startswith("deep/")


def test_a_list_of_files_that_has_changed_vouches_for_nothing(tmp_path: Path) -> None:
    store = Store(Cache(tmp_path / "cache"))
    made = commit(store, tmp_path / "work", listed=False)
    (made.path / "deep" / "file").write_text("other")
    (made.path.parent / "stage.files").write_bytes(read(made.path).encoded)
    with pytest.raises(Damaged, match="its list of files has changed"):
        made.listing()
    assert "its list of files has changed" in store.fault(made)


def test_a_damaged_output_is_kept_once(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    store = Store(cache)
    for text in ("one", "two"):
        kept = store.set_aside(commit(store, tmp_path / "work", text))
        assert (kept / OUTPUT / "deep" / "file").read_text() == text
    assert [path.name for path in cache.aside.iterdir()] == ["build-x"]
    assert store.find("build:x", KEY) is None


@pytest.mark.parametrize("path", ["/etc/passwd", "../x", "a/../../x"])
def test_a_manifest_cannot_name_files_elsewhere(tmp_path: Path, path: str) -> None:
    store = Store(Cache(tmp_path / "cache"))
    manifest = commit(store, tmp_path / "work").path.parent / "stage.json"
    manifest.write_text(manifest.read_text().replace('"deep/file"', f'"{path}"'))
    assert store.find("build:x", KEY) is None


@pytest.mark.parametrize("old", ['"size": 4', f'"key": "{KEY}', '"listing": "'])
def test_a_manifest_has_sizes_and_digests(tmp_path: Path, old: str) -> None:
    store = Store(Cache(tmp_path / "cache"))
    manifest = commit(store, tmp_path / "work").path.parent / "stage.json"
    text = manifest.read_text()
    assert old in text
    new = {'"size": 4': '"size": -4'}.get(old, old + "/")
    manifest.write_text(text.replace(old, new))
    assert store.find("build:x", KEY) is None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"deep/file"', '"deep/life"'),
        ('"sha256": "', '"sha256": "' + "0" * 64 + '", "was": "'),
        ('"size": 4', '"size": 5'),
        ('"objects": 3', '"objects": 4'),
        ('"container_seconds": 1.5', '"container_seconds": 15e-1'),
        ('"source": "aa"', '"source": "bb"'),
        ('"build:x"', '"../../x"'),
        (KEY, "b" * 64),
        ('"started": ', '"started": 1'),
    ],
)
def test_a_manifest_that_was_changed_is_damage(tmp_path: Path, old: str, new: str) -> None:
    cache = Cache(tmp_path / "cache")
    store = Store(cache)
    place = commit(store, tmp_path / "work").path.parent
    manifest = place / "stage.json"
    text = manifest.read_text()
    assert old in text
    manifest.write_text(text.replace(old, new, 1))
    with pytest.raises(Damaged, match=r"stage\.json has changed") as caught:
        store.find("build:x", KEY)
    assert caught.value.done.name == "build:x"
    changed = store.at(place)
    assert changed is not None
    assert store.fault(changed) == "stage.json has changed"
    assert store.set_aside(changed) == cache.aside / "build-x"
    assert not place.exists()


@pytest.mark.parametrize("name", ["stage.sha256", "stage.json"])
def test_an_output_without_its_records_is_none(tmp_path: Path, name: str) -> None:
    store = Store(Cache(tmp_path / "cache"))
    made = commit(store, tmp_path / "work")
    (made.path.parent / name).unlink()
    assert store.find("build:x", KEY) is None
    assert store.at(made.path.parent) is None
    assert store.fault(made) == "stage.json has changed"


@pytest.mark.parametrize("listed", [True, False])
def test_a_list_of_files_is_looked_at_and_read(tmp_path: Path, listed: bool) -> None:
    store = Store(Cache(tmp_path / "cache"))
    made = commit(store, tmp_path / "work", listed=listed)
    files = made.path.parent / "stage.files"
    files.write_bytes(files.read_bytes() + b"\0")
    assert store.fault(made) == "its list of files has changed"
    with pytest.raises(Damaged, match="its list of files has changed"):
        store.find("build:x", KEY)
    files.unlink()
    assert store.fault(made).startswith("its list of files cannot be read")
    with pytest.raises(Damaged, match="its list of files cannot be read"):
        store.find("build:x", KEY)


def test_an_output_in_the_place_of_another_is_told(tmp_path: Path) -> None:
    store = Store(Cache(tmp_path / "cache"))
    made = commit(store, tmp_path / "work")
    other = store.place("build:x", Digest("b" * 64))
    made.path.parent.rename(other)
    found = store.at(other)
    assert found is not None
    assert store.fault(found) == "it is an output of build:x and belongs elsewhere"
    assert store.find("build:x", Digest("b" * 64)) is None


def resealed(place: Path, old: str, new: str) -> None:
    text = (place / "stage.json").read_text().replace(old, new, 1)
    (place / "stage.json").write_text(text)
    (place / "stage.sha256").write_text(f"{digest.of_text(text)}  stage.json\n")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"source": "aa"', '"source": "bb"', "do not have the key"),
        ('"deep/file"', '"deep/life"', "are not those of stage.files"),
        ('"size": 4', '"size": 5', "are not those of stage.files"),
    ],
)
def test_a_manifest_agrees_with_itself(tmp_path: Path, old: str, new: str, words: str) -> None:
    store = Store(Cache(tmp_path / "cache"))
    place = commit(store, tmp_path / "work").path.parent
    resealed(place, old, new)
    found = store.at(place)
    assert found is not None
    assert words in store.fault(found)


def test_a_manifest_can_be_read_by_sha256sum(tmp_path: Path) -> None:
    place = commit(Store(Cache(tmp_path / "cache")), tmp_path / "work").path.parent
    argv = ("sha256sum", "--check", "--strict", "stage.sha256")
    ended = subprocess.run(argv, cwd=place, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert all(line.endswith(": OK") for line in ended.stdout.splitlines())


def test_a_broken_manifest_is_not_an_output(tmp_path: Path) -> None:
    store = Store(Cache(tmp_path / "cache"))
    made = commit(store, tmp_path / "work")
    (made.path.parent / "stage.json").write_text("{")
    assert store.find("build:x", KEY) is None


def test_committing_again_replaces_what_was_there(tmp_path: Path) -> None:
    store = Store(Cache(tmp_path / "cache"))
    commit(store, tmp_path / "work")
    again = commit(store, tmp_path / "work", "anew")
    assert (again.path / "deep" / "file").read_text() == "anew"
    assert [path.name for path in again.path.parent.parent.iterdir()] == [KEY[:20]]
