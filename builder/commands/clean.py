"""Remove the artifacts and, on request, everything in the cache.

Only known folders are removed: those of ``artifacts/`` that belong to a profile, and those of a
cache that carries the builder's mark.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from builder import names
from builder.console import Console
from builder.engine import private
from builder.errors import UsageError
from builder.host import ownership, removal
from builder.host.lock import hold
from builder.host.ownership import State
from builder.host.paths import Cache, Project
from builder.host.removal import remove
from builder.pipeline import run as runs
from builder.place import Place
from builder.profile import load
from builder.report import matrix, publish, record


@dataclass(frozen=True)
class CleanRequest:
    """What to remove.

    ``profile``: None means all.  ``everything``: the cache, too.  ``agreed``: do not ask.
    """

    profile: str | None = None
    everything: bool = False
    agreed: bool = False


@dataclass(frozen=True)
class _Target:
    """A folder or file to remove; ``below``: the folder that must contain it."""

    path: Path
    below: Path
    shown: str
    size: int

    def __str__(self) -> str:
        return f"{self.shown} ({_amount(self.size)})"


def clean(request: CleanRequest, place: Place) -> None:
    """Remove one profile's artifacts, or all profiles'; with ``everything`` also the cache.

    Prints what will be removed and its size, and asks on a terminal.  Waits for runs that are
    under way.  An engine keeps its images, except the private engine, whose images are removed
    with the cache.  Raises UsageError if there is nothing to remove, if the cache is not the
    builder's, or if everything is to be removed and nobody can be asked; EnvironmentFailure if
    the cache is another user's.  It removes nothing then.
    """
    project, cache, console = place.project, place.cache, place.console
    profiles = _profiles(request, project)
    state = ownership.examine(cache)
    if request.everything:
        _require_ours(cache, state)
    if state in {State.MARKED, State.EARLIER}:
        ownership.require_own(cache)
    targets = list(_targets(request, profiles, place, state))
    if not targets:
        raise _nothing(request, place, state)
    if not _agreed(request, targets, console):
        console.say("nothing was removed")
        return
    locks = [name for profile in profiles for name in runs.lock_names(profile)]
    ours = cache if state in {State.MARKED, State.EARLIER} else None
    with (
        _cache_locked(request, cache, state, console),
        runs.alone(ours, project, locks, console),
    ):
        _remove_all(targets, cache, console)
        matrix.write(project)
        removal.sweep(project.results, project.results)
        if state is State.MARKED:
            for profile in profiles:
                runs.sweep(cache, profile)
            removal.sweep(cache.root, cache.root)
    _tell_left(request, place)


def _remove_all(targets: Iterable[_Target], cache: Cache, console: Console) -> None:
    for target in targets:
        console.say(f"removing {target}")
        if target.below == cache.scratch:
            if not runs.sweep_one(cache, target.path.parent.name, target.path.name):
                console.say(f"left: {target.shown}, which is in use")
            continue
        if target.path == cache.engine and not target.path.is_symlink():
            _end_engine(cache, console)
        remove(target.path, target.below)


def _profiles(request: CleanRequest, project: Project) -> tuple[str, ...]:
    """Existing profiles, and those that have left artifacts."""
    known = sorted({*load.available(project.specs), *_left_behind(project)})
    if request.profile is None:
        return tuple(known)
    return (
        names.choose(
            "profile",
            request.profile,
            known,
            "--profile names a folder of specs/, or what it has left in artifacts/",
        ),
    )


def _left_behind(project: Project) -> Iterator[str]:
    """Names of folders with a ``build.json`` of the profile of that name."""
    for path in project.results.glob(f"*/{publish.RECORD}"):
        try:
            made = record.decode(path.read_bytes())
        except (OSError, msgspec.DecodeError):
            continue
        if made.profile == path.parent.name and names.is_name(made.profile):
            yield made.profile


def _tell_left(request: CleanRequest, place: Place) -> None:
    """Name the remaining files and folders, which are not the builder's."""
    project, cache, console = place.project, place.cache, place.console
    if request.profile is None and project.results.is_dir():
        for path in sorted(project.results.iterdir()):
            if path.is_dir() and not path.name.startswith("."):
                console.say(f"left: {path.relative_to(project.root)}, which is not a profile's")
    if request.everything and cache.root.is_dir():
        for name in ownership.strangers(cache):
            console.say(f"left: {cache.root / name}, which is not the builder's")


def _require_ours(cache: Cache, state: State) -> None:
    if state is State.FOREIGN:
        raise ownership.foreign(cache)
    if state is State.EARLIER:
        raise UsageError(
            f"the cache {cache.root} has no mark ({ownership.MARK})",
            "it looks like the cache of an earlier version, which made none",
            "invoke fetch; invoke clean --all (the first marks it, without a network, too)",
        )


def _targets(
    request: CleanRequest, profiles: Iterable[str], place: Place, state: State
) -> Iterator[_Target]:
    project, cache = place.project, place.cache
    doomed = removal.leavings(project.results)
    for folder in (*map(project.artifacts, profiles), *doomed):
        yield from _target(folder, project.results, project.root)
    if state is not State.MARKED:
        return
    if request.everything:
        for path in (*cache.folders, *cache.notes):
            yield from _target(path, cache.root, cache.root.parent)
        return
    for profile in profiles:
        for folder in runs.dead(cache, profile):
            yield from _target(folder, cache.scratch, cache.root.parent)


def _target(path: Path, below: Path, shown_from: Path) -> Iterator[_Target]:
    if path.is_symlink() or path.exists():
        size = 0 if path.is_symlink() else _disk_use(path)
        yield _Target(path, below, str(path.relative_to(shown_from)), size)


def _nothing(request: CleanRequest, place: Place, state: State) -> UsageError:
    project, cache = place.project, place.cache
    of = f"profile {request.profile}" if request.profile else "any profile"
    artifacts = f"{project.results.name}/ has nothing of {of}"
    also = f", and the cache {cache.root} is empty" if request.everything else ""
    hint = "nothing is left to do"
    ours = state in {State.MARKED, State.EARLIER}
    if ours and not request.everything and any(path.exists() for path in cache.folders):
        hint = "`invoke clean --all` removes the cache as well"
    return UsageError("there is nothing to clean", f"{artifacts}{also}", hint)


def _agreed(request: CleanRequest, targets: list[_Target], console: Console) -> bool:
    """Ask on a terminal.  The cache always needs a yes, because it takes long to make again."""
    if request.agreed:
        return True
    total = _amount(sum(target.size for target in targets))
    if sys.stdin.isatty():
        for target in targets:
            console.say(f"  {target}")
        return _ask(f"Remove these ({total})?")
    if request.everything:
        raise UsageError(
            f"clean --all would remove {total}, and this was not confirmed",
            "standard input is no terminal, so nobody can be asked; nothing was removed",
            "invoke clean --all --yes",
        )
    return True


def _ask(question: str) -> bool:
    try:
        return input(f"{question} [y/N] ").strip().lower() in {"y", "yes"}
    except EOFError:  # Ctrl-D
        return False


@contextmanager
def _cache_locked(
    request: CleanRequest, cache: Cache, state: State, console: Console
) -> Iterator[None]:
    """Lock the cache: with ``everything`` against any use, else against removal."""
    if state is not State.MARKED:
        yield
        return
    keep = ownership.alone if request.everything else ownership.read
    with keep(cache, console):
        yield


def _end_engine(cache: Cache, console: Console) -> None:
    """Stop a private engine that nobody uses any more, and remove its data."""
    engine = private.private_engine(cache)
    with hold(engine.home / private.USERS, "the private engine", console):
        private.stop(engine)  # its keeper, too, which waits for the same lock
        remove(engine.data, engine.home)


def _disk_use(path: Path) -> int:
    """Bytes on disk of a folder or a file; files with several names count once."""
    seen: set[tuple[int, int]] = set()
    total = 0
    for one in (path, *path.rglob("*")):
        try:
            status = one.lstat()
        except FileNotFoundError:  # a run that is under way has removed it
            continue
        if (status.st_dev, status.st_ino) not in seen:
            seen.add((status.st_dev, status.st_ino))
            total += status.st_blocks * 512
    return total


def _amount(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"
