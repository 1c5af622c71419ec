"""A move that is killed leaves a checkout that builds; edits change what they mean and no more."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from builder.digest import Digest
from builder.errors import EnvironmentFailure, UsageError
from builder.host.whole import write_whole
from builder.profile.commit import Commit, finish
from builder.source.model import Location, Source
from builder.source.pins import Pin, SourcesLock
from builder.update.edit import Change, edit
from builder.update.offer import (
    Offer,
    beyond,
    held,
    is_behind,
    is_point_release,
    newest,
    of_releases,
    renamed,
)
from tests.support.source.server import BODY, DIGEST, tar_of
from tests.support.source.site import Site

NEW = tar_of(b"the new release")


class Half:
    """A site with a move from ``old`` to ``new``, each a source with a file location."""

    def __init__(self, site: Site, new_file: str, new_url: str) -> None:
        self.site = site
        site.project.root.mkdir()
        (site.project.root / "one.tar").write_bytes(BODY)
        (site.project.root / "two.tar").write_bytes(NEW)
        self.old = Source("tool", "tool-1.tar", (Location("file:one.tar"),))
        self.new = Source("tool", new_file, (Location(new_url),))
        site.fetch(self.old)
        self.text = site.project.specs / "lts" / "profile.toml"
        self.text.write_text("old")
        other = SourcesLock(site.root / "other.lock")
        site.fetch(self.new, update=True)
        other.put("tool", site.lock.pins("tool"))
        self.pins = {"tool": dict(other.pins("tool"))}
        site.lock.put("tool", {})
        site.fetch(self.old)

    @property
    def current(self) -> Source:
        return self.new if self.text.read_text() == "new" else self.old

    def commit(self) -> Commit:
        return Commit(self.text, b"old", b"new", self.site.lock, self.pins)


@pytest.mark.parametrize("file", ["tool-2.tar", "tool-1.tar"])
def test_every_step_leaves_a_checkout_that_fetches_what_it_names(site: Site, file: str) -> None:
    half = Half(site, file, "file:two.tar")
    for count, _ in enumerate(half.commit().steps(), 1):
        for blob in site.cache.blobs.iterdir():
            blob.unlink()
        got = site.fetch(half.current, locked=True)
        assert got.path.read_bytes() == (NEW if half.current is half.new else BODY), count
        assert site.fetch(half.current, locked=True).sha256 == got.sha256
    assert list(site.lock.pins("tool")) == ["upstream"]


@pytest.mark.parametrize("count", [1, 2])
def test_the_next_update_finishes_what_was_killed(site: Site, count: int) -> None:
    half = Half(site, "tool-1.tar", "file:two.tar")
    steps = half.commit().steps()
    for _ in range(count):
        next(steps)
    assert set(site.lock.pins("tool")) == {"upstream", "upstream.next"}
    finish(site.lock, lambda: {"tool": half.current})
    (pin,) = site.lock.pins("tool").values()
    assert pin.url == half.current.locations[0].url
    finish(site.lock, lambda: {"tool": half.current})
    assert list(site.lock.pins("tool").values()) == [pin]


@pytest.mark.parametrize("count", [1, 2])
def test_a_write_that_is_stopped_when_it_has_replaced_the_lock_is_finished(
    site: Site, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    half = Half(site, "tool-1.tar", "file:two.tar")
    written: list[Path] = []

    def write_and_stop(path: Path, data: bytes, *, alone: bool) -> None:
        write_whole(path, data, alone=alone)
        written.append(path)
        if len(written) == count:
            raise KeyboardInterrupt

    monkeypatch.setattr("builder.source.pins.write_whole", write_and_stop)
    commit = half.commit()
    with pytest.raises(KeyboardInterrupt):
        commit.run()
    finish(commit.lock, lambda: {"tool": half.current})
    (pin,) = SourcesLock(site.lock.path).pins("tool").values()
    assert pin.url == half.current.locations[0].url


def test_what_a_kill_has_left_beside_the_files_is_removed(site: Site) -> None:
    half = Half(site, "tool-2.tar", "file:two.tar")
    before = sorted(half.text.parent.iterdir())
    elsewhere = site.root / "elsewhere"
    elsewhere.write_text(half.text.read_text())
    half.text.unlink()
    half.text.symlink_to(elsewhere)
    cut = (site.root / ".elsewhere.new", half.text.with_name(".sources.lock.new"))
    for path in cut:
        path.write_text("[ha")
    finish(site.lock, dict)
    assert sorted(half.text.parent.iterdir()) == before
    assert not any(path.exists() for path in cut)


def test_a_profile_that_was_edited_meanwhile_is_not_overwritten(site: Site) -> None:
    half = Half(site, "tool-2.tar", "file:two.tar")
    half.text.write_text("edited")
    before = site.lock.path.read_text()
    with pytest.raises(EnvironmentFailure, match="was changed while"):
        half.commit().run()
    assert half.text.read_text() == "edited"
    assert site.lock.path.read_text() == before


PROFILE = """\
# 1.0 here stays.
[component.tool]  # "1.0"
version = "1.0" # "1.0" is a version
release = '1.lvs'

[component.other]
version = "1.0"

[source.tool]
file = "tool-1.0.tar"
locations = [
    # { url = "https://a.invalid/tool-1.0.tar" },
    { url = "https://a.invalid/tool-1.0.tar" },
]
"""
URL = "https://a.invalid/tool-1.0.tar"


def _edit(text: str, *changes: Change) -> str:
    return edit(Path("p/profile.toml"), text, changes)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_an_edit_changes_its_value_and_keeps_all_else(end: str) -> None:
    text = PROFILE.replace("\n", end)
    made = _edit(
        text,
        Change(("component", "tool", "version"), "1.0", "1.1"),
        Change(("component", "tool", "release"), "1.lvs", '2."x"'),
        Change(("source", "tool", "locations", 0, "url"), URL, URL.replace("1.0", "1.1")),
    )
    wanted = text.replace('version = "1.0" #', 'version = "1.1" #')
    wanted = wanted.replace("'1.lvs'", '"2.\\"x\\""')
    wanted = wanted.replace(f'    {{ url = "{URL}"', f'    {{ url = "{URL.replace("1.0", "1.1")}"')
    assert made == wanted


@pytest.mark.parametrize(
    "text",
    [
        PROFILE.replace('version = "1.0" #', 'version = """\n1.0""" #'),
        PROFILE.replace('[component.tool]  # "1.0"', "[component]\ntool.packages = []\n[x]"),
        'component = { tool = { version = "1.0" } }\n',
    ],
)
def test_what_lines_cannot_edit_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as failure:
        _edit(text, Change(("component", "tool", "version"), "1.0", "1.1"))
    assert failure.value.what.startswith("p/profile.toml:")
    assert "component.tool.version" in failure.value.cause
    assert "'1.1'" in failure.value.hint


@pytest.mark.parametrize(
    ("version", "current", "is_one"),
    [
        ("6.1.193", "6.1.192", True),
        ("6.2.1", "6.1.192", False),
        ("1.32", "1.31", True),
        ("2.0", "1.31", False),
        ("8.5", "8.4.4", False),
        ("8.4.4.1", "8.4.4", False),
        ("8.4.5-rc1", "8.4.4", False),
    ],
)
def test_a_point_release_differs_in_its_last_number(
    version: str, current: str, is_one: bool
) -> None:
    assert is_point_release(version, current) is is_one


def test_the_newest_point_release_is_chosen_by_number_not_by_text() -> None:
    offers = [Offer(one, "x") for one in ("6.1.9", "6.1.10", "6.2.1", "6.1.8")]
    best = newest(offers, "6.1.9", "")
    assert best is not None
    assert best.version == "6.1.10"
    other = beyond(offers, "6.1.9")
    assert other is not None
    assert other.version == "6.2.1"
    assert newest(offers, "6.1.10", "") is None


def test_a_newer_revision_of_the_same_version_is_newer() -> None:
    offers = [Offer("1.0", "apt:x", one) for one in ("1.0-3", "1.0-10")]
    best = newest(offers, "1.0", "1.0-3")
    assert best is not None
    assert best.revision == "1.0-10"
    assert newest(offers, "1.0", "1.0-10") is None


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("tool-1.31.tar", "tool-1.40.tar"),
        ("https://a.invalid/1.2/tool-1.30.tar.gz", "https://a.invalid/1.2/tool-1.40.tar.gz"),
        ("https://a.invalid/1.31/tool-1.31.tar", "https://a.invalid/1.40/tool-1.40.tar"),
        ("tool-1.31.2.tar", "tool-1.40.2.tar"),
        ("tool-1.30.2.tar", "tool-1.30.2.tar"),
        ("tool-2.30.tar", "tool-2.30.tar"),
        ("tool-1.40.tar", "tool-1.40.tar"),
        ("tool.tar", "tool.tar"),
    ],
)
def test_a_name_gets_the_new_release_whichever_it_had(text: str, wanted: str) -> None:
    assert renamed(text, "1.31", "1.40") == wanted


@pytest.mark.parametrize(
    ("named", "pinned", "revision"),
    [
        ("=1.0-1", "1.0-2", "1.0-1"),
        ("=1.0-2", "1.0-1", "1.0-1"),
        ("=1.0-2", "1.0-2", "1.0-2"),
        ("", "1.0-2", "1.0-2"),
    ],
)
def test_a_source_is_at_the_older_of_its_locations_and_its_pins_revision(
    named: str, pinned: str, revision: str
) -> None:
    source = Source("tool", "tool-1.0.tar", (Location(f"apt:tool{named}"),))
    pin = Pin("tool-1.0.tar", Digest(DIGEST), 1, "x", datetime.date(2026, 11, 23), pinned)
    assert held(source, pin) == revision
    assert held(source, None) == ""


def test_an_address_of_another_release_is_behind() -> None:
    for name, wanted in (("tool-1.0.tar", False), ("tool-1.1.tar", True), ("1.1/x.tar", False)):
        source = Source("tool", "tool-1.0.tar", (Location(f"https://a.invalid/{name}"),))
        assert is_behind(source, "1.0") is wanted


def test_kernel_orgs_list_is_read() -> None:
    data = (
        b'{"latest_stable": {"version": "6.12.1"}, "releases": ['
        b'{"moniker": "mainline", "version": "6.13-rc1", "iseol": false, "released": {}},'
        b'{"moniker": "longterm", "version": "6.1.193", "source": "https://x"},'
        b'{"moniker": "linux-next", "version": "next-20261126"}]}'
    )
    assert of_releases(data, "k") == (Offer("6.1.193", "k"),)
