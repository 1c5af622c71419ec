"""A base that is locked: what differs is told or refused, and a snapshot has it.

Real commands on a real bootstrap from a mirror of this test's own.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from builder.base.snapshot import VARIABLE
from builder.host import ci
from tests import world
from tests.support.base import debian
from tests.support.base.debian import Mirror
from tests.support.el6.signing import Key, throwaway_key
from tests.unit.base.test_base import lend_sources
from tests.world import Outcome, World

pytestmark = pytest.mark.timeout(600)
LOCK = "dockerfiles/debian12/packages.lock"
SMALL = ("--profile", "small")


@pytest.fixture(scope="module")
def key() -> Iterator[Key]:
    with throwaway_key("mirror") as key:
        yield key


@pytest.fixture(scope="module")
def userland(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return debian.userland(tmp_path_factory.mktemp("userland"))


@dataclass
class Site:
    """A small project whose base comes from a mirror of two packages."""

    world: World
    mirror: Mirror
    userland: Path
    scratch: Path

    @property
    def lock(self) -> Path:
        return self.world.project / LOCK

    def serve(self, version: str, text: str = "", *, mirror: Mirror | None = None) -> Path:
        """Have the mirror serve this version of ``tool``; its .deb."""
        deb = debian.tool(self.scratch, version, text)
        (mirror or self.mirror).serve_debs(self.userland, deb)
        return deb

    def image(self, *options: str, status: int = 0) -> Outcome:
        ended = self.world.run("image", *options, *SMALL)
        assert ended.status == status, ended.errors
        return ended


@pytest.fixture
def site(
    tmp_path: Path, key: Key, userland: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Site]:
    made = world.make(tmp_path / "project", tmp_path / "cache")
    base = made.project / "dockerfiles/debian12"
    settings = (base / "base.toml").read_text()
    (base / "base.toml").write_text(settings.replace('variant = "apt"', 'variant = "essential"'))
    for name in ("build-packages.txt", "guest/systemd/packages.txt"):
        (base / name).write_text("tool\n")
    with debian.serve(tmp_path / "mirror", key) as mirror:
        lend_sources(tmp_path, mirror.stanza, monkeypatch)
        yield Site(made, mirror, userland, tmp_path)


def test_a_base_is_locked_and_what_differs_is_told_and_refused(site: Site) -> None:
    deb = site.serve("1")
    first = site.image("--lock")
    digest = hashlib.sha256(deb.read_bytes()).hexdigest()
    line = f'"tool:amd64" = {{ version = "1", sha256 = "{digest}" }}\n'
    assert site.lock.read_text().count(line) == 2
    assert f"{LOCK}: written; packages: 2 of build, 2 of guest.systemd" in first.output
    again = site.image("--hermetic")
    assert f"base debian12: 0 packages differ from {LOCK}\n" in again.errors

    site.serve("2")
    told = site.image("--refresh")
    assert f"base debian12: 2 packages differ from {LOCK}: 2 of another version\n" in told.errors
    refused = site.image("--hermetic", status=3)
    assert "1 package differs from" in refused.errors
    assert "cause: tool 1 -> 2\n" in refused.errors
    assert "image --refresh --hermetic --profile small" in refused.errors
    anew = site.image("--hermetic", "--refresh", status=3)
    assert "image --lock --profile small" in anew.errors
    assert VARIABLE in anew.errors
    record = json.loads((site.world.project / "artifacts/small/build.json").read_bytes())
    assert record["failure"]["status"] == 3
    assert {one["differing"] for one in record["images"]} == {1}

    before = site.lock.read_bytes()
    site.world.env[ci.VARIABLE] = "true"
    ended = site.image("--lock", status=2)
    assert "env -u CI" in ended.errors
    assert "image:build: started" not in ended.errors
    assert site.lock.read_bytes() == before
    del site.world.env[ci.VARIABLE]
    site.image("--lock")
    assert "0 packages differ" in site.image("--hermetic").errors


def test_other_bytes_of_the_same_version_are_another_package(site: Site) -> None:
    site.serve("1")
    site.image("--lock")
    site.serve("1", "rebuilt")
    told = site.image("--refresh")
    assert "2 of the same version with another digest" in told.errors
    assert "another digest: " in site.image("--hermetic", status=3).errors


def test_what_the_mirror_has_no_more_comes_from_the_snapshot(site: Site, key: Key) -> None:
    site.serve("1")
    site.image("--lock")
    site.serve("2")
    assert "2 packages differ" in site.image("--refresh").errors
    with debian.serve(site.scratch / "snapshot", key) as old:
        old.valid_until = "Valid-Until: Thu, 01 Jan 2026 00:00:00 UTC\n"
        site.serve("1", mirror=old)
        site.mirror.asked.clear()
        site.world.env[VARIABLE] = old.entry
        explained = site.world.run("explain", "image:build", *SMALL)
        assert "snapshot: (none) ->" in explained.output
        ended = site.image("--hermetic")
        assert "0 packages differ" in ended.errors
        assert "from the snapshot that is named" in ended.errors
        assert site.mirror.asked == []
        explained = site.world.run("explain", "image:build", *SMALL)
        assert "image:build: nothing has changed" in explained.output
        assert f"base debian12: 0 packages differ from {LOCK}" in explained.output
    del site.world.env[VARIABLE]
    assert "2 packages differ" in site.image().errors


def test_a_snapshot_that_does_not_answer_is_no_reason_to_ask_others(site: Site, key: Key) -> None:
    site.serve("1")
    toml = site.world.project / "dockerfiles/debian12/base.toml"
    with debian.serve(site.scratch / "snapshot", key) as old:
        site.serve("1", mirror=old)
    toml.write_text(f"snapshot = [{old.entry!r}]\n{toml.read_text()}")
    site.mirror.asked.clear()
    ended = site.image(status=3)
    assert VARIABLE in ended.errors
    assert site.mirror.asked == []


def test_hermetic_without_a_lock_says_how_to_make_one(site: Site) -> None:
    for words in (("image",), ("build",), ("build", "--only", "tool"), ("smoke",)):
        ended = site.world.run(*words, "--hermetic", *SMALL)
        assert ended.status == 2, ended.errors
        assert f"cause: {LOCK} does not exist" in ended.errors
        assert "image --lock --profile small" in ended.errors
    ended = site.world.run("image", "--hermetic", "--lock", *SMALL)
    assert ended.status == 2
    assert "contradict each other" in ended.errors
    assert site.mirror.asked == []


def test_a_damaged_lock_is_refused_before_anything_is_asked(site: Site) -> None:
    site.serve("1")
    site.image("--lock")
    site.lock.write_text(site.lock.read_text() + "<<<<<<< HEAD\n")
    line = len(site.lock.read_text().splitlines())
    site.mirror.asked.clear()
    for words in (("image", "--refresh"), ("image", "--lock"), ("build", "--only", "tool")):
        ended = site.world.run(*words, *SMALL)
        assert ended.status == 2, ended.errors
        assert f"debian12/packages.lock:{line} cannot be used" in ended.errors
    assert site.mirror.asked == []
