"""Removes what was built: artifacts, and on request everything that the cache holds."""

from __future__ import annotations

from pathlib import Path

from builder.console import Console
from builder.host.paths import Cache, Project
from builder.host.removal import remove
from builder.pipeline.lock import hold
from builder.profile import load


def _disk_use(folder: Path) -> int:
    """Bytes on disk of a folder; files with several names count once."""
    seen: set[tuple[int, int]] = set()
    total = 0
    for path in folder.rglob("*"):
        status = path.lstat()
        if (status.st_dev, status.st_ino) not in seen:
            seen.add((status.st_dev, status.st_ino))
            total += status.st_blocks * 512
    return total


def clean(
    profile: str, *, everything: bool, project: Project, cache: Cache, console: Console
) -> None:
    """Remove one profile's artifacts, or all profiles'; ``everything``: also the cache.

    Waits for runs that are under way.  An engine's images are left to the engine, except
    for the private engine's, which go with the cache.
    """
    names = (profile,) if profile else load.available(project.specs)
    for name in names:
        with hold(cache.locks, f"profile {name}", console):
            _remove_said(project.artifacts(name), project.root, console)
            for folder in cache.scratch.glob(f"{name}-*") if cache.scratch.is_dir() else ():
                _remove_said(folder, cache.root, console)
    if everything:
        for folder in sorted(cache.root.iterdir()) if cache.root.is_dir() else ():
            if folder != cache.locks:
                _remove_said(folder, cache.root.parent, console)


def _remove_said(folder: Path, root: Path, console: Console) -> None:
    if folder.exists():
        console.say(f"removing {folder.relative_to(root)} ({_disk_use(folder) / 1e6:.0f} MB)")
        remove(folder, root)
