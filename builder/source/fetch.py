"""The only way for bytes to get into a build.

A file that was fetched and pinned before is found without a network or a lock, and read once to
check its digest.  Everything that takes longer is in ``resolve``, which is not even imported then.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import msgspec

from builder.host.paths import Cache, Project
from builder.source import dropin, verification
from builder.source.accepted import Acceptance
from builder.source.expected import Expected
from builder.source.job import Job
from builder.source.known import find_sound
from builder.source.model import Bounds, Fetched, Source
from builder.source.pins import SourcesLock
from builder.source.store import Damage

if TYPE_CHECKING:
    from builder.console import Console

PATIENT = Bounds()
ANYTHING = Expected()


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
    expected: Expected = ANYTHING,
    acceptance: Acceptance | None = None,
) -> Fetched:
    """The verified bytes of ``source``, from the cache or from the first location that serves it.

    ``locked``: refuse what is not pinned.  ``update``: ignore sources.lock and pin again.
    ``stop``: set it from another thread to end the download.  ``expected``: what a first use must
    have in it.  ``acceptance``: what the operator alone accepts.  A file in the drop-in folder
    takes precedence over the cache.  A damaged blob is put aside, reported, and fetched again.

    Raises SourceUnreachable, VerificationError, EnvironmentFailure (disk full), Interrupted.
    """
    source = acceptance.narrow(source) if acceptance is not None else source
    damages: tuple[Damage, ...] = ()
    if not update:
        brought = dropin.require(source, project, lock, acceptance)
        sound, damages = find_sound(source, cache=cache, lock=lock)
        for one in damages:
            console.say(f"{source.name}: {one}")
        found = dropin.prefer(source, brought, sound)
        if found is not None:
            words = verification.vouch(
                source,
                found.path,
                found.sha256,
                project=project,
                lock=lock,
                acceptance=acceptance,
            )
            told = verification.describe(words, source, found.sha256, lock)
            return msgspec.structs.replace(found, verified=told)
    from builder.source import resolve  # noqa: PLC0415 - Requests takes longer than a hit may

    return resolve.resolve(
        Job(
            source=source,
            cache=cache,
            project=project,
            lock=lock,
            console=console,
            locked=locked,
            update=update,
            bounds=bounds,
            stop=stop or threading.Event(),
            damages=damages,
            expected=expected,
            acceptance=acceptance,
        )
    )
