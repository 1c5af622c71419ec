"""What is published is what was built: a changed file is found, told and published again."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from builder.errors import VerificationError
from builder.host.paths import Cache
from builder.pipeline.digest import Input
from builder.pipeline.facts import NONE
from builder.pipeline.stage import Done
from builder.pipeline.store import OUTPUT, Store
from builder.report import publish
from builder.report.publish import Publication
from tests.damage import spoil

PUBLICATIONS = (Publication("repo", "repo"), Publication("vm", "vm"))


def commit(store: Store, stage: str, work: Path, key: str = "a") -> Done:
    """Finish a stage whose output lies in ``work``."""
    return store.commit(
        stage,
        (Input("x", key),),
        work,
        listed=True,
        by_content=False,
        started=time.time(),
        facts=NONE,
        log=work / "log",
    )


@dataclass
class Site:
    """A store and the folder where its outputs are published."""

    root: Path

    @property
    def target(self) -> Path:
        return self.root / "artifacts"

    def commit(self, stage: str, text: str = "made", key: str = "a") -> Done:
        work = self.root / "work"
        (work / OUTPUT / "deep").mkdir(parents=True)
        (work / OUTPUT / "deep" / "file").write_text(f"{stage} {text}")
        (work / OUTPUT / "other").write_text("other")
        return commit(Store(Cache(self.root / "cache")), stage, work, key)

    def stale(self, *stages: Done) -> dict[str, str]:
        return publish.stale(self.target, PUBLICATIONS, {one.name: one for one in stages})

    def publish(self, *stages: Done) -> None:
        done = {one.name: one for one in stages}
        publish.publish(
            self.target,
            PUBLICATIONS,
            done,
            self.stale(*stages),
            profile="p",
            flavour="f",
            base="b",
        )


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_what_is_published_is_published_once(site: Site) -> None:
    repo, vm = site.commit("repo"), site.commit("vm")
    assert site.stale(repo, vm) == {"repo": "", "vm": ""}
    site.publish(repo, vm)
    assert site.stale(repo, vm) == {}
    before = (site.target / "vm" / "deep" / "file").stat()
    site.publish(repo, vm)
    assert (site.target / "vm" / "deep" / "file").stat() == before


def test_another_output_is_published(site: Site) -> None:
    site.publish(site.commit("repo"), site.commit("vm"))
    vm = site.commit("vm", "anew", key="b")
    assert site.stale(vm) == {"vm": ""}
    site.publish(vm)
    assert (site.target / "vm" / "deep" / "file").read_text() == "vm anew"


def exchange(path: Path) -> None:
    path.unlink()
    path.write_text("vm m4de")


def faults(site: Site, folder: str) -> set[str]:
    """What is wrong with a published folder."""
    return {words for _, words in publish.faults_of(site.target, folder) if words}


CHANGES: dict[str, Callable[[Path], object]] = {
    "same size": lambda path: path.write_text("vm m4de"),
    "size": lambda path: path.write_text("longer than that"),
    "exchanged": exchange,
    "missing": lambda path: path.unlink(),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_file_is_told_and_published_again(site: Site, change: str) -> None:
    vm = site.commit("vm")
    site.publish(vm)
    file = site.target / "vm" / "deep" / "file"
    os.utime(file, (1, 1))
    assert site.stale(vm) == {}, "a time alone is no change"
    site.publish(vm)
    CHANGES[change](file)
    (words,) = site.stale(vm).values()
    assert words.startswith("deep/file")
    assert any("vm/deep/file" in words for _, words in publish.faults_of(site.target, "vm"))
    site.publish(vm)
    assert file.read_text() == "vm made"
    assert faults(site, "vm") == set()


def test_a_change_that_hides_is_found_by_reading(site: Site) -> None:
    vm = site.commit("vm")
    site.publish(vm)
    spoil(site.target / "vm" / "deep" / "file")
    assert site.stale(vm) == {}
    faults = dict(publish.faults_of(site.target))
    assert faults == {"vm/deep/file": "vm/deep/file has changed", "vm/other": ""}


def add_file(folder: Path) -> None:
    (folder / "deep" / "evil").write_text("added")


def add_folder(folder: Path) -> None:
    (folder / "evil").mkdir()


def replace_by_link(path: Path, root: Path) -> None:
    moved = root / f"moved-{time.time_ns()}"
    path.rename(moved)
    path.symlink_to(moved)


def link_file(folder: Path) -> None:
    replace_by_link(folder / "deep" / "file", folder.parent)


def link_folder(folder: Path) -> None:
    replace_by_link(folder / "deep", folder.parent)


def link_all(folder: Path) -> None:
    replace_by_link(folder, folder.parent)


def pipe(folder: Path) -> None:
    os.mkfifo(folder / "evil")


@pytest.mark.parametrize("change", [add_file, add_folder, link_file, link_folder, link_all, pipe])
def test_a_folder_holds_what_was_published_and_nothing_else(
    site: Site, change: Callable[[Path], None]
) -> None:
    vm = site.commit("vm")
    site.publish(vm)
    folder = site.target / "vm"
    change(folder)
    assert any(words for _, words in publish.faults_of(site.target))
    assert faults(site, "vm") != set()
    assert list(site.stale(vm)) == ["vm"]
    site.publish(vm)
    assert site.stale(vm) == {}
    assert not folder.is_symlink()
    assert set(publish.faults_of(site.target)) == {("vm/deep/file", ""), ("vm/other", "")}
    change(folder)
    publish.withdraw(site.target, "vm")
    assert not os.path.lexists(folder)
    assert list(publish.faults_of(site.target)) == []
    assert list(site.stale(vm)) == ["vm"]


def test_only_the_folder_in_question_is_judged(site: Site) -> None:
    site.publish(site.commit("repo"), site.commit("vm"))
    (site.target / "repo" / "other").write_text("changed")
    assert faults(site, "vm") == faults(site, "lab") == set()
    assert faults(site, "repo") == {"repo/other has changed"}


@pytest.mark.parametrize(
    ("old", "new"),
    [('"size": 5', '"size": -5'), ('"sha256": "', '"sha256": "/'), ('"vm/other"', '"../other"')],
)
def test_a_record_that_is_none_is_told(site: Site, old: str, new: str) -> None:
    site.publish(site.commit("vm"))
    path = site.target / "build.json"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(VerificationError, match=r"build\.json cannot be read"):
        list(publish.faults_of(site.target))


def test_a_note_of_an_earlier_version_costs_a_copy(site: Site) -> None:
    vm = site.commit("vm")
    site.publish(vm)
    (site.target / ".published.json").write_text('{"vm": "' + "a" * 64 + '"}')
    assert site.stale(vm) == {"vm": ""}
    site.publish(vm)
    assert site.stale(vm) == {}
