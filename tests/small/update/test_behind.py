"""A profile that is behind what its lock pins catches up, and ``--check`` says no other thing."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from builder.host import ownership
from builder.host.paths import Cache, Project
from builder.source.pins import Pin, open_lock
from tests.support.source import mirror as mirrors
from tests.support.source.mirror import Mirror
from tests.unit.host.test_ownership import earlier
from tests.world import PROFILE, SOURCE, World

pytestmark = [
    pytest.mark.registry,
    pytest.mark.skipif(shutil.which("apt-get") is None, reason="this host has no apt client"),
]
SMALL = ("--profile", "small")
MEMBER = "usr/src/tool.tar.gz"
PACKAGED = PROFILE.replace(
    '{ url = "file:tool-1.0.tar.gz" }',
    f'{{ url = "apt:tool-source=1.0-1", member = "{MEMBER}" }}',
).replace('text = "The first."', 'text = "Tool 1.0 with two."')


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirror]:
    with mirrors.serve(tmp_path) as made:
        monkeypatch.setenv("APT_CONFIG", str(made.configuration))
        yield made


def _profile(world: World) -> Path:
    return world.project / "specs/small/profile.toml"


def _pin(world: World) -> Pin:
    (pin,) = open_lock(Project(world.project), "small").pins("tool").values()
    return pin


def _serve(world: World, mirror: Mirror, revision: str) -> None:
    mirror.add_deb(
        "tool-source", revision, {MEMBER: (world.project / "tool-1.0.tar.gz").read_bytes()}
    )


@pytest.fixture
def newest(small: World, mirror: Mirror, tmp_path: Path) -> World:
    """The tool's 1.1 out of a package, pinned by a profile that agrees with its lock."""
    small.cache = tmp_path / "cache"
    small.write_source({**SOURCE, "news": "what is new\n"})
    _serve(small, mirror, "1.1-1")
    _profile(small).write_text(PACKAGED.replace("1.0", "1.1"))
    assert small.run("fetch", *SMALL).status == 0
    return small


@pytest.mark.parametrize(
    "reverted",
    [
        ('version = "1.1"', "tool-1.1.tar.gz", "=1.1-1", "Tool 1.1"),
        ('version = "1.1"', "tool-1.1.tar.gz", "=1.1-1"),
        ('version = "1.1"', "tool-1.1.tar.gz"),
        ('version = "1.1"',),
        ("=1.1-1",),
    ],
    ids=["all", "changelog stays", "location stays", "version alone", "location alone"],
)
def test_a_profile_that_is_behind_its_pin_moves_to_it(
    newest: World, reverted: tuple[str, ...]
) -> None:
    agreed, pin = _profile(newest).read_text(), _pin(newest)
    behind = agreed
    for text in reverted:
        assert text in behind
        behind = behind.replace(text, text.replace("1.1", "1.0"))
    _profile(newest).write_text(behind)
    told = newest.run("update", "tool", "--check", *SMALL)
    assert told.status == 0, told.errors
    assert "available: 1.1 (apt:tool-source=1.1-1)" in told.output
    assert _profile(newest).read_text() == behind
    ended = newest.run("update", "tool", *SMALL)
    assert ended.status == 0, ended.errors
    assert "nothing to move" not in ended.output
    assert "-> 1.1 (apt:tool-source=1.1-1)" in ended.output
    assert "patches: 1 of 1 apply" in ended.output
    assert "--locked" not in ended.output
    assert _dateless(_profile(newest)) == _dateless_text(agreed)
    assert _pin(newest) == pin
    assert newest.run("fetch", "--locked", *SMALL).status == 0
    assert "up to date" in newest.run("update", "--check", *SMALL).output
    assert newest.leavings() == []


def _dateless(path: Path) -> list[str]:
    return _dateless_text(path.read_text())


def _dateless_text(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith("date = ")]


def test_a_source_that_the_lock_does_not_pin_is_told_as_the_reason(newest: World) -> None:
    _profile(newest).write_text(PACKAGED)
    ended = newest.run("update", "tool", *SMALL)
    assert (
        "note: not compared with the old source: sources.lock has no pin for tool-1.0.tar.gz, "
        "which profile.toml names"
    ) in ended.output, ended.output


@pytest.mark.parametrize("equals", [True, False])
def test_another_revision_of_the_pinned_content_is_taken_without_another_release(
    newest: World, mirror: Mirror, *, equals: bool
) -> None:
    if not equals:
        _profile(newest).write_text(_profile(newest).read_text().replace("=1.1-1", ""))
        assert newest.run("fetch", "--update", *SMALL).status == 0
    before, pin = _profile(newest).read_text(), _pin(newest)
    _serve(newest, mirror, "1.1-2")
    (newest.cache / "apt/refreshed").unlink()
    told = newest.run("update", "--check", *SMALL).output
    assert "available: 1.1 (apt:tool-source=1.1-2)" in told
    ended = newest.run("update", *SMALL)
    assert ended.status == 0, ended.errors
    assert "the pinned content" in ended.output
    assert _profile(newest).read_text() == before.replace("=1.1-1", "=1.1-2")
    assert (_pin(newest).version, _pin(newest).sha256) == ("1.1-2", pin.sha256)
    assert "up to date" in newest.run("update", "--check", *SMALL).output
    assert newest.run("fetch", "--locked", *SMALL).status == 0


def test_check_leaves_a_cache_of_an_earlier_version_alone(newest: World, tmp_path: Path) -> None:
    cache = earlier(tmp_path / "earlier")
    cache.root.chmod(0o700)
    marked = Cache(newest.cache)
    mark = marked.root / ownership.MARK
    mark.write_text(mark.read_text().replace(f'"layout":{ownership.LAYOUT}', '"layout":1'))
    for one in (cache, marked):
        newest.cache = one.root
        before = _seen(one.root)
        ended = newest.run("update", "--check", *SMALL)
        assert ended.status == 0, ended.errors
        assert "tool: 1.1, revision 1.1-1; up to date" in ended.output
        assert "the next build takes it over" in ended.errors
        assert _seen(one.root) == before


def _seen(folder: Path) -> dict[Path, tuple[int, int]]:
    """All in a cache but its locks, each with its mode and time."""
    found = {path: path.lstat() for path in folder.rglob("*") if "locks" not in path.parts}
    return {path: (status.st_mode, status.st_mtime_ns) for path, status in found.items()}
