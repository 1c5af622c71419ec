"""CI outlives Debian's updates: what has left the mirror is built newer, and said."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from builder.console import Console
from builder.errors import PatchError, SourceUnreachable
from builder.host.paths import Cache
from builder.source.pins import open_lock
from tests import renewal
from tests.support.source import mirror as mirrors
from tests.support.source.mirror import Mirror
from tests.world import PROFILE, SOURCE, World

pytestmark = [
    pytest.mark.registry,
    pytest.mark.skipif(shutil.which("apt-get") is None, reason="this host has no apt client"),
]
MEMBER = "usr/src/tool.tar.gz"
LOCATION = f'{{ url = "apt:tool-source=1.0-1", member = "{MEMBER}" }}'


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirror]:
    with mirrors.serve(tmp_path) as made:
        monkeypatch.setenv("APT_CONFIG", str(made.configuration))
        yield made


def _release(small: World, mirror: Mirror, revision: str, **files: str) -> None:
    lock = small.project / "specs/small/sources.lock"
    pinned = lock.read_bytes() if lock.exists() else None
    small.write_source({**SOURCE, **files})
    tarball = (small.project / "tool-1.0.tar.gz").read_bytes()
    mirror.add_deb("tool-source", revision, {MEMBER: tarball})
    if pinned is not None:
        lock.write_bytes(pinned)


@pytest.fixture
def pinned(small: World, mirror: Mirror, tmp_path: Path) -> World:
    """The small world's tool out of a package, whose pinned revision has left the mirror."""
    profile = small.project / "specs/small/profile.toml"
    profile.write_text(PROFILE.replace('{ url = "file:tool-1.0.tar.gz" }', LOCATION))
    _release(small, mirror, "1.0-1")
    small.cache = tmp_path / "cache"
    assert small.run("fetch", "--profile", "small").status == 0
    mirror.withdraw("tool-source", "1.0-1")
    return World(small.project, tmp_path / "another")


def _renew(world: World, folder: Path) -> tuple[str, ...]:
    project = renewal.scratch(folder, world.project)
    console = Console(io.StringIO(), interactive=False)
    lines = renewal.renew(project, "small", Cache(world.cache), console)
    assert open_lock(project, "small").names() == ("tool",)
    return lines


def _specs(world: World) -> dict[Path, bytes]:
    return {p: p.read_bytes() for p in (world.project / "specs").rglob("*") if p.is_file()}


def test_what_is_gone_is_built_newer_and_the_checkout_stays(
    pinned: World, mirror: Mirror, tmp_path: Path
) -> None:
    _release(pinned, mirror, "1.1-1", news="what is new\n")
    before = _specs(pinned)
    lines = _renew(pinned, tmp_path / "scratch/project")
    assert lines == ("tool 1.1-1, where 1.0-1 is pinned",)
    assert _specs(pinned) == before
    text = (tmp_path / "scratch/project/specs/small/profile.toml").read_text()
    assert 'url = "apt:tool-source=1.1-1"' in text
    assert 'version = "1.1"' in text


def test_a_revision_with_other_content_is_another_release_of_the_packages(
    pinned: World, mirror: Mirror, tmp_path: Path
) -> None:
    _release(pinned, mirror, "1.0-2", news="what is new\n")
    assert _renew(pinned, tmp_path / "scratch/project") == ("tool 1.0-2, where 1.0-1 is pinned",)
    text = (tmp_path / "scratch/project/specs/small/profile.toml").read_text()
    assert 'release = "2"' in text
    assert 'version = "1.0"' in text


def test_what_is_there_under_another_revision_needs_no_renewal(
    pinned: World, mirror: Mirror, tmp_path: Path
) -> None:
    tarball = (pinned.project / "tool-1.0.tar.gz").read_bytes()
    mirror.add_deb("tool-source", "1.0-2", {MEMBER: tarball})
    before = _specs(pinned)
    assert _renew(pinned, tmp_path / "scratch/project") == ()
    scratch = tmp_path / "scratch/project/specs/small/sources.lock"
    assert scratch.read_bytes() == before[pinned.project / "specs/small/sources.lock"]


def test_what_is_gone_for_good_or_does_not_fit_fails(
    pinned: World, mirror: Mirror, tmp_path: Path
) -> None:
    with pytest.raises(SourceUnreachable):
        _renew(pinned, tmp_path / "one/project")
    _release(pinned, mirror, "1.1-1", **{"tool.c": "int main(void) { return 1; }\n"})
    pinned.cache = tmp_path / "third"  # the lists of the other one are of just now
    with pytest.raises(PatchError):
        _renew(pinned, tmp_path / "two/project")
