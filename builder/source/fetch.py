"""The one way in which bytes come into a build.

What was fetched and pinned before is found without a network, a lock or a byte read; all that
takes longer is in ``resolve``, which is not even imported then.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

from builder.host.paths import Cache, Project
from builder.source.known import find, require_signature
from builder.source.lock import SourcesLock
from builder.source.model import Bounds, Fetched, Source

if TYPE_CHECKING:
    from builder.console import Console

PATIENT = Bounds()


def fetch(
    source: Source,
    *,
    cache: Cache,
    project: Project,
    lock: SourcesLock,
    console: Console,
    locked: bool,
    update: bool = False,
    bounds: Bounds = PATIENT,
    stop: threading.Event | None = None,
) -> Fetched:
    """The verified bytes of ``source``, from the cache or from the first location that serves it.

    ``locked``: refuse what is not pinned.  ``update``: pay no heed to sources.lock and pin anew.
    ``stop``: set it from another thread to end the download.

    Raises SourceUnreachable, VerificationError, EnvironmentFailure (disk full), Interrupted.
    """
    if not update:
        found = find(source, cache=cache, lock=lock)
        if found is not None:
            require_signature(source, found.path, lock)
            return found
    from builder.source import resolve  # noqa: PLC0415 - Requests takes longer than a hit may

    return resolve.resolve(
        resolve.Job(
            source=source,
            cache=cache,
            project=project,
            lock=lock,
            console=console,
            locked=locked,
            update=update,
            bounds=bounds,
            stop=stop or threading.Event(),
        )
    )


def open_lock(project: Project, profile: str) -> SourcesLock:
    """The ``sources.lock`` of a profile, empty if it has none yet."""
    return SourcesLock(Path(project.specs / profile / "sources.lock"))
