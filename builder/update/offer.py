"""What newer releases of a source there are: in Debian's lists, and in kernel.org's releases.json.

A point release differs only in the last number.  Other releases are reported, never used.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass

import msgspec

from builder.digest import Digest, decode
from builder.errors import UsageError
from builder.profile.model import Profile
from builder.source.model import Location, Source
from builder.source.pins import Pin
from builder.source.revision import Revision, is_newer, plain

_NUMBERS = re.compile(r"^\d+(\.\d+)*$")
_VERSION = re.compile(r"(?<![\d.])\d+(?:\.\d+)+(?!\d|\.\d)")


@dataclass(frozen=True)
class Offer:
    """A release that is available: upstream's version, and the revision of a package."""

    version: str
    place: str
    revision: str = ""

    def __str__(self) -> str:
        return f"{self.version} ({self.place}{f'={self.revision}' if self.revision else ''})"


@dataclass(frozen=True)
class Found:
    """The releases of a source's preferred variant, those that only upstream has, and answers.

    ``answers``: from the places that gave no list.
    """

    offers: tuple[Offer, ...] = ()
    upstream: tuple[Offer, ...] = ()
    answers: tuple[str, ...] = ()


class _Release(msgspec.Struct, frozen=True):
    moniker: str
    version: str


class _Releases(msgspec.Struct, frozen=True):
    releases: tuple[_Release, ...]


def version_of(profile: Profile, source: Source) -> str:
    """The upstream version of a source: its components', which is also in its file's name.

    The name may have another point release: somebody has edited one of them and not the other.
    Raises UsageError if it has none.
    """
    versions = {
        component.version
        for component in profile.component.values()
        if component.source == source.name
    }
    found = {one for one in versions if one in source.file}
    found = found or {one for one in versions if renamed(source.file, one, "") != source.file}
    if len(found) != 1:
        raise UsageError(
            f"source {source.name} has no version that could be moved",
            f"the name {source.file} has no version of one of its components",
            "a source without releases is pinned anew by: invoke fetch --update",
        )
    return found.pop()


def renamed(text: str, current: str, new: str) -> str:
    """A file's name, or a URL, of another release: ``current`` becomes ``new``.

    If the text does not have ``current``, a point release of it in the last part is replaced.
    """
    if current in text:
        return text.replace(current, new)
    folder, slash, name = text.rpartition("/")
    moved = _VERSION.sub(lambda one: new if is_point_release(one[0], current) else one[0], name)
    return f"{folder}{slash}{moved}"


def held(source: Source, pin: Pin | None) -> str:
    """The current revision of a source: the pinned one, or an older one that a location names."""
    pinned = (pin.version if pin and pin.file == source.file else None) or ""
    for location in source.locations:
        named = location.url.partition("=")[2] if location.is_packaged else ""
        if location.serves == source.preferred and named and pinned and is_newer(pinned, named):
            return named
    return pinned


def is_behind(source: Source, current: str) -> bool:
    """Whether the file's name or a download's URL has another point release than ``current``."""
    texts = [source.file, *(one.url for one in source.locations if not one.is_packaged)]
    return any(renamed(text, current, current) != text for text in texts)


def of_package(
    location: Location, served: Iterable[Revision], pinned: Container[Digest]
) -> Iterator[Offer]:
    """The releases of a package's revisions.

    Those whose content is ``pinned`` are not newer, unless the location names a revision.
    """
    name, equals, _ = location.url.partition(":")[2].partition("=")
    for one in served:
        if one.sha256 in pinned and not equals:
            yield Offer(plain(one.version), f"{location.scheme}:{name}")
            continue
        yield Offer(plain(one.version), f"{location.scheme}:{name}", one.version)


def of_releases(data: bytes, place: str) -> tuple[Offer, ...]:
    """The stable releases of kernel.org's releases.json.  Raises ValueError for other data."""
    told = decode(data, _Releases)
    return tuple(
        Offer(one.version, place)
        for one in told.releases
        if one.moniker in ("stable", "longterm") and _NUMBERS.match(one.version)
    )


def is_point_release(version: str, current: str) -> bool:
    """Whether a version differs from the current one in its last number alone."""
    if not (_NUMBERS.match(version) and _NUMBERS.match(current)):
        return False
    new, old = version.split("."), current.split(".")
    return len(new) == len(old) and new[:-1] == old[:-1]


def newest(offers: Iterable[Offer], current: str, revision: str) -> Offer | None:
    """The newest point release that is newer than the current version, or its revision."""
    best: Offer | None = None
    for offer in offers:
        if not is_point_release(offer.version, current) and offer.version != current:
            continue
        if _is_newer(offer, current, revision) and (
            best is None or _is_newer(offer, best.version, best.revision)
        ):
            best = offer
    return best


def _is_newer(offer: Offer, version: str, revision: str) -> bool:
    if offer.version != version:
        return is_newer(offer.version, version)
    return bool(offer.revision and revision) and is_newer(offer.revision, revision)


def same(offers: Iterable[Offer], current: str) -> Offer | None:
    """The current version as it is available now."""
    return next((one for one in offers if one.version == current), None)


def beyond(offers: Iterable[Offer], current: str) -> Offer | None:
    """The newest release that is not a point release of the current version."""
    others = [one for one in offers if not is_point_release(one.version, current)]
    best: Offer | None = None
    for offer in others:
        if offer.version != current and is_newer(offer.version, best.version if best else current):
            best = offer
    return best


def told(name: str, current: str, revision: str, best: Offer | None, found: Found) -> Iterator[str]:
    """The available releases of a source, in lines."""
    present = f"{current}{f', revision {revision}' if revision else ''}"
    if best is not None:
        yield f"{name}: {present}; available: {best}"
    elif found.offers:
        yield f"{name}: {present}; up to date"
    else:
        yield f"{name}: {present}; no list of releases is available"
    ahead = newest(found.upstream, best.version if best else current, "")
    if ahead is not None:
        yield f"  upstream is ahead: {ahead}"
    other = beyond((*found.offers, *found.upstream), current)
    if other is not None:
        yield f"  no point release of {current}, so not taken: {other}"
    for answer in found.answers:
        yield f"  {answer}"
