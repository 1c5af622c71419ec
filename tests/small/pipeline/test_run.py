"""A run's folder is its own while it lives, and swept by its own profile when it is dead."""

from __future__ import annotations

from pathlib import Path

from tests import world
from tests.world import PATCH, World


def second_profile(small: World, name: str) -> None:
    specs, patches = small.project / "specs", small.project / "patches"
    world.copy(specs / "small", specs / name)
    world.copy(patches / "small", patches / name)


def test_profiles_with_one_beginning_do_not_sweep_each_other(tmp_path: Path) -> None:
    """Of a failed run the scratch stays for `invoke shell`, and the log to be read."""
    small = world.make(tmp_path / "project", tmp_path / "cache")
    second_profile(small, "small-x")
    patch = small.project / "patches" / "small-x" / "tool" / "say_two.patch"
    patch.write_text(PATCH.replace('puts("one")', 'puts("eleven")'))
    failed = small.run("patch", "--profile", "small-x")
    assert failed.status == 5, failed.errors

    def left() -> list[str]:
        found = (*small.cache.glob("scratch/small-x*"), *small.cache.glob("logs/small-x*"))
        return sorted(str(path) for path in found)

    before = left()
    assert any("scratch" in path for path in before)
    for _ in range(2):
        ended = small.run("fetch", "--profile", "small")
        assert ended.status == 0, ended.errors
    assert left() == before
