"""A run's own folders, ``scratch/<profile>/<run>/`` and ``logs/<profile>/<run>/``, and its lock.

Whoever works in a run's folder holds its lock; a folder whose lock is free is a dead run's.  A
failed run's folder stays for ``invoke shell`` until the next run of its profile sweeps it.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from builder.console import Console
from builder.host import removal
from builder.host.lock import hold, hold_if_free
from builder.host.paths import Cache, Project
from builder.host.removal import remove

KEPT_LOGS = 20
_UNWRITABLE = (errno.EROFS, errno.EACCES, errno.EPERM)
LAB = "lab-"
WORKER = "worker-"


def new_name() -> str:
    """A run's name, unique on this host; later names sort after earlier ones."""
    return f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"


def lock_names(profile: str) -> tuple[str, str]:
    """The locks of a profile's one run and one lab."""
    return f"profile {profile}", f"lab of {profile}"


@contextmanager
def alone(
    cache: Cache | None, project: Project, names: Iterable[str], console: Console
) -> Iterator[None]:
    """Hold locks of the cache, if there is one, and those of the same names of the checkout.

    Those of the checkout come last, and nobody who holds one waits for a cache's lock.  So runs
    with different caches never wait for each other in a circle.
    """
    names = tuple(names)
    with ExitStack() as stack:
        if cache is not None:
            for name in names:
                stack.enter_context(hold(cache.lock(name), name, console))
        for name in names:
            stack.enter_context(_checkout_alone(project, name, console))
        yield


@contextmanager
def profile_alone(cache: Cache, project: Project, profile: str, console: Console) -> Iterator[None]:
    """Be the one run of a profile that makes or removes its stages, pins and artifacts."""
    with alone(cache, project, lock_names(profile)[:1], console):
        yield


@contextmanager
def lab_alone(cache: Cache, project: Project, profile: str, console: Console) -> Iterator[None]:
    """Be the one lab of a profile."""
    with alone(cache, project, lock_names(profile)[1:], console):
        yield


@contextmanager
def _checkout_alone(project: Project, name: str, console: Console) -> Iterator[None]:
    """Keep out runs of this checkout that have other caches.

    A checkout that cannot be written to needs no lock.
    """
    with ExitStack() as stack:
        try:
            lock = hold(project.locks / f"{name}.lock", f"{name} in {project.root}", console)
            stack.enter_context(lock)
        except OSError as error:
            if error.errno not in _UNWRITABLE or os.access(project.root, os.W_OK):
                raise
        yield


def run_lock(cache: Cache, profile: str, name: str) -> Path:
    return cache.locks / "runs" / profile / f"{name}.lock"


@contextmanager
def owned(cache: Cache, profile: str, name: str, console: Console) -> Iterator[Path]:
    """The run's folder, which nobody sweeps within the block; the caller makes and removes it."""
    folder = cache.scratch / profile / name
    lock = run_lock(cache, profile, name)
    with hold(lock, f"run {profile}/{name}", console):
        try:
            yield folder
        finally:
            if not folder.exists():
                lock.unlink(missing_ok=True)


def dead(cache: Cache, profile: str) -> list[Path]:
    """Folders below scratch of this profile's runs that nobody works in."""
    found = []
    for name in _names(cache, profile):
        with hold_if_free(run_lock(cache, profile, name)) as free:
            if free:
                found.append(cache.scratch / profile / name)
    return [folder for folder in found if folder.exists()]


def sweep(cache: Cache, profile: str, prefix: str = "") -> None:
    """Remove the folders of this profile's dead runs whose names begin with ``prefix``."""
    for name in _names(cache, profile):
        if name.startswith(prefix):
            sweep_one(cache, profile, name)
    removal.sweep(cache.scratch / profile, cache.scratch)


def sweep_one(cache: Cache, profile: str, name: str) -> bool:
    """Remove a run's folder if nobody works in it; returns whether that was so."""
    lock = run_lock(cache, profile, name)
    with hold_if_free(lock) as free:
        if free:
            remove(cache.scratch / profile / name, cache.scratch)
            lock.unlink(missing_ok=True)
        return free


def sweep_logs(cache: Cache, profile: str) -> None:
    """Remove all but the newest logs; the caller holds the profile's lock."""
    folder = cache.logs / profile
    for name in _visible(folder)[:-KEPT_LOGS]:
        remove(folder / name, cache.logs)


def sweep_removals(cache: Cache, project: Project, profile: str) -> None:
    """Finish killed removals, wherever a run of this profile removes something."""
    inside = [cache.root, cache.scratch, cache.logs, cache.logs / profile, cache.partial]
    inside += [cache.engine, cache.stages]
    inside += [cache.stages / name for name in _visible(cache.stages)]
    for folder in inside:
        removal.sweep(folder, cache.root)
    artifacts = project.artifacts(profile)
    for folder in (project.results, artifacts, *(artifacts / name for name in _visible(artifacts))):
        removal.sweep(folder, project.results)


def _names(cache: Cache, profile: str) -> list[str]:
    locks = run_lock(cache, profile, "x").parent
    names = {Path(name).stem for name in _visible(locks)} | set(_visible(cache.scratch / profile))
    return sorted(names)


def _visible(folder: Path) -> list[str]:
    """Names in a folder but hidden ones, sorted; none if there is no such folder."""
    try:
        return sorted(name for name in os.listdir(folder) if not name.startswith("."))  # noqa: PTH208
    except (FileNotFoundError, NotADirectoryError):
        return []
