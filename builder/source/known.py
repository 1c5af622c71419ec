"""What is known about a source without asking anybody: pins, digests, the cache, keys."""

from __future__ import annotations

from builder.digest import Digest, of_file
from builder.host.paths import Cache
from builder.source.lock import Pin, SourcesLock
from builder.source.model import Fetched, Location, Source
from builder.source.store import Damage, damage, find_blob

DROPIN = "drop-in"  # the kind of location that the folder for hand-brought files is


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


def profile_digest(source: Source, location: Location) -> Digest | None:
    """What the profile itself says about the bytes of a location."""
    return location.sha256 or source.sha256


def find(source: Source, *, cache: Cache, lock: SourcesLock) -> Fetched | None:
    """The source if its digest is known and there is a blob of that name; none of it is read."""
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


def require_sizes(lock: SourcesLock, cache: Cache, *sources: str) -> None:
    """Hold the pinned sizes against the blobs; of all sources if none is named.

    A blob is read only if its size is another one: it may be damaged, which is not told here.
    Raises UsageError, with file and line, for a size that the pinned bytes do not have.
    """
    for name in sources or lock.names():
        for kind, pin in lock.pins(name).items():
            blob = find_blob(cache, pin.sha256)
            if blob is None:
                continue
            size = blob.stat().st_size
            if size != pin.size and of_file(blob) == pin.sha256:
                cause = f"{pin.size} is not the size of these bytes, which is {size}"
                raise lock.refuse(name, kind, "size", cause)


def find_sound(
    source: Source, *, cache: Cache, lock: SourcesLock
) -> tuple[Fetched | None, tuple[Damage, ...]]:
    """As ``find``, with the bytes held against the digest; and what was put aside for damage.

    Raises UsageError for a pinned size that the bytes do not have.
    """
    require_sizes(lock, cache, source.name)
    damages: list[Damage] = []
    while (found := find(source, cache=cache, lock=lock)) is not None:
        wrong = damage(cache, found.sha256, source.file)
        if wrong is not None:
            damages.append(wrong)
        elif found.path.exists():
            break
    return found, tuple(damages)


def _found(
    source: Source, cache: Cache, sha256: Digest, pin: Pin | None, label: str
) -> Fetched | None:
    path = find_blob(cache, sha256)
    if path is None:
        return None
    size = path.stat().st_size
    url, version = (pin.url, pin.version) if pin else (label, None)
    return Fetched(source.name, source.file, path, sha256, size, url, version)
