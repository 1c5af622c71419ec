"""What is known about a source without asking anybody: pins, digests, the cache, keys."""

from __future__ import annotations

from builder.digest import of_file
from builder.host.paths import Cache
from builder.source.model import Fetched, Source
from builder.source.pins import NEXT, Pin, SourcesLock
from builder.source.store import Damage, damage, find_blob
from builder.source.variant import DROPIN, Known, known


def dropin_label(source: Source) -> str:
    """How the drop-in file of a source is named in messages and in sources.lock."""
    return f"sources/{source.file}"


def valid_pins(source: Source, lock: SourcesLock) -> dict[str, Pin]:
    """The pins, by variant, that were made for a file and a variant that the profile still names.

    Where it comes from does not matter: the pin is the content.
    """
    named = {*source.variants, DROPIN}
    return {
        variant: pin
        for variant, pin in lock.pins(source.name).items()
        if pin.file == source.file and variant.removesuffix(NEXT) in named
    }


def find(
    source: Source, *, cache: Cache, lock: SourcesLock, others: bool = False
) -> Fetched | None:
    """The source if its digest is known and there is a blob of that name; none of it is read.

    ``others``: variants other than the preferred one are accepted, too.
    """
    for one in known(source, valid_pins(source, lock)):
        if others or one.variant == source.preferred:
            found = _found(source, cache, one)
            if found is not None:
                return found
    return None


def require_sizes(lock: SourcesLock, cache: Cache, *sources: str) -> None:
    """Check the pinned sizes against the blobs, for all sources if none is named.

    A blob is read only if its size differs: it may be damaged, which is not reported here.  Raises
    UsageError, with file and line, for a size that the pinned bytes do not have.
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
    source: Source, *, cache: Cache, lock: SourcesLock, others: bool = False
) -> tuple[Fetched | None, tuple[Damage, ...]]:
    """As ``find``, with the digest checked; also returns damaged files that were put aside.

    Raises UsageError for a pinned size that the bytes do not have.
    """
    require_sizes(lock, cache, source.name)
    damages: list[Damage] = []
    while (found := find(source, cache=cache, lock=lock, others=others)) is not None:
        wrong = damage(cache, found.sha256, source.file)
        if wrong is not None:
            damages.append(wrong)
        elif found.path.exists():
            break
    return found, tuple(damages)


def _found(source: Source, cache: Cache, one: Known) -> Fetched | None:
    path = find_blob(cache, one.sha256)
    if path is None:
        return None
    return Fetched(
        name=source.name,
        file=source.file,
        path=path,
        sha256=one.sha256,
        size=path.stat().st_size,
        url=one.pin.url if one.pin else one.label,
        version=one.pin.version if one.pin else None,
        variant=one.variant,
    )
