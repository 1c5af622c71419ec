"""The one way in which bytes come into a build.

What was fetched and pinned before is found without a network, a lock or a byte read; all that
takes longer is in ``resolve``, which is not even imported then.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from builder.errors import BuilderError, EnvironmentFailure, VerificationError
from builder.host.paths import Cache, Project
from builder.source.lock import Pin, SourcesLock
from builder.source.model import Bounds, Fetched, Location, Source
from builder.source.store import find_blob

if TYPE_CHECKING:
    from builder.console import Console

DROPIN = "drop-in"  # the kind of location that the folder for hand-brought files is
PATIENT = Bounds()
_AT_ONCE = 8  # downloads


def dropin_label(source: Source) -> str:
    """How the drop-in file of a source is named in messages and in sources.lock."""
    return f"sources/{source.file}"


def valid_pins(source: Source, lock: SourcesLock) -> dict[str, Pin]:
    """The pins, by kind, that were made for a file and a location that the profile still names."""
    labels = {location.label for location in source.locations} | {dropin_label(source)}
    return {
        kind: pin
        for kind, pin in lock.pins(source.name).items()
        if pin.file == source.file and pin.url in labels
    }


def profile_digest(source: Source, location: Location) -> str | None:
    """What the profile itself says about the bytes of a location."""
    return location.sha256 or source.sha256


def find(source: Source, *, cache: Cache, lock: SourcesLock) -> Fetched | None:
    """The source if its digest is known and its bytes are in the cache."""
    pins = valid_pins(source, lock)
    for location in source.locations:
        pin = pins.get(location.kind)
        sha256 = profile_digest(source, location) or (pin.sha256 if pin else None)
        if sha256 is None:
            continue
        pin = pin if pin and pin.sha256 == sha256 else None
        found = _found(source, cache, sha256, pin, location.label)
        if found is not None:
            return found
    pin = pins.get(DROPIN)
    if pin is None or source.sha256 not in (None, pin.sha256):
        return None
    return _found(source, cache, pin.sha256, pin, pin.url)


def _found(
    source: Source, cache: Cache, sha256: str, pin: Pin | None, label: str
) -> Fetched | None:
    path = find_blob(cache, sha256, pin.size if pin else None)
    if path is None:
        return None
    size = path.stat().st_size
    url, version = (pin.url, pin.version) if pin else (label, None)
    return Fetched(source.name, source.file, path, sha256, size, url, version)


def require_signature(source: Source, path: Path, lock: SourcesLock) -> str:
    """Hold a file against the keys of its source, if it must be signed; returns what was found.

    The keys lie in the profile's folder, beside ``lock``.  Raises as ``signature.verify`` does.
    """
    if not source.signed_by:
        return ""
    from builder.source import signature  # noqa: PLC0415 - only signed sources pay for it

    keys = signature.accepted_keys(source, lock.path.parent)
    return str(signature.verify(path, source.file, keys))


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


def fetch_all(
    sources: Sequence[Source],
    *,
    cache: Cache,
    project: Project,
    lock: SourcesLock,
    console: Console,
    locked: bool,
    update: bool = False,
    bounds: Bounds = PATIENT,
) -> dict[str, Fetched]:
    """Fetch all at once; by source name.  Tells every failure, not only the first.

    One failure is raised as it is; several as one error of the gravest class.
    """
    found = {} if update else _find_all(sources, cache, lock)
    missing = [source for source in sources if source.name not in found]
    if not missing:
        return found
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - not for a hit

    stop = threading.Event()
    failures: list[BuilderError] = []
    with ThreadPoolExecutor(_AT_ONCE, "fetch") as pool:
        try:
            waiting = [
                pool.submit(
                    fetch,
                    source,
                    cache=cache,
                    project=project,
                    lock=lock,
                    console=console,
                    locked=locked,
                    update=update,
                    bounds=bounds,
                    stop=stop,
                )
                for source in missing
            ]
            for source, task in zip(missing, waiting, strict=True):
                try:
                    found[source.name] = task.result()
                except BuilderError as failure:
                    failures.append(failure)
        except BaseException:
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise
    if failures:
        raise _sum_up(failures)
    return {source.name: found[source.name] for source in sources}


def _find_all(sources: Sequence[Source], cache: Cache, lock: SourcesLock) -> dict[str, Fetched]:
    looked = {source.name: find(source, cache=cache, lock=lock) for source in sources}
    return {name: fetched for name, fetched in looked.items() if fetched is not None}


def _sum_up(failures: Sequence[BuilderError]) -> BuilderError:
    if len(failures) == 1:
        return failures[0]
    gravity = (VerificationError, EnvironmentFailure)
    kinds = [type(failure) for failure in failures]
    kind = next((grave for grave in gravity if grave in kinds), kinds[0])
    return kind(
        f"{len(failures)} sources could not be fetched",
        "\n".join(str(failure) for failure in failures),
        "\n".join(dict.fromkeys(failure.hint for failure in failures if failure.hint)),
    )


def open_lock(project: Project, profile: str) -> SourcesLock:
    """The ``sources.lock`` of a profile, empty if it has none yet."""
    return SourcesLock(Path(project.specs / profile / "sources.lock"))
