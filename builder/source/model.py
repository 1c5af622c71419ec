"""What is to be fetched, from where, within which bounds, and what came of it."""

from __future__ import annotations

from pathlib import Path

import msgspec

from builder.digest import Digest, Size
from builder.names import FileName, Name, OptionalName
from builder.shown import without_secrets
from builder.values import PACKAGED, Amount, Fingerprint, PathBelow

_GIB = 1 << 30


class Location(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One place a source can be had from.

    ``url``: ``apt:PACKAGE[=VERSION]``, ``apt-source:PACKAGE[=VERSION]``, ``https:``, ``http:``,
    ``ftp:`` or ``file:`` (absolute or relative to the project).  ``sha256``: this location's own
    digest, where its bytes differ from those of the others.  ``member``: the file is this
    member of the .deb that the location serves.  ``variant``: which variant of the source
    it serves, if it is not that of its kind.  ``signature``: the URL of its author's, which one
    of the source's ``signed_by`` must have made.
    """

    url: str
    sha256: Digest | None = None
    member: PathBelow | None = None
    variant: OptionalName = ""
    signature: str = ""

    @property
    def scheme(self) -> str:
        return self.url.partition(":")[0].lower()

    @property
    def is_packaged(self) -> bool:
        """Whether apt brings it."""
        return self.scheme in PACKAGED

    @property
    def serves(self) -> str:
        """The name of the variant, whose locations all serve the same bytes.

        ``apt``, ``apt-source`` or ``upstream`` where the profile names none.
        """
        return self.variant or (self.scheme if self.is_packaged else "upstream")

    @property
    def label(self) -> str:
        """The location for people, logs and sources.lock: without secrets."""
        shown = without_secrets(self.url)
        return f"{shown}#{self.member}" if self.member else shown


class SigningKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who may have signed a source: ``key``, an armoured file in the profile's folder.

    ``fingerprint``: the 40 hexadecimal digits that the file's key must have.
    """

    key: PathBelow
    fingerprint: Fingerprint


class Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One input: its file name, its locations in order of preference, and its digest.

    ``sha256`` holds for every location that has none of its own.  ``max_bytes``: nothing
    larger is taken.  ``signed_by``: an RPM that none of these signed is not taken, nor what has a
    ``signature`` beside it.
    ``alternative``: what else to do if no location serves it, the end of a sentence.
    ``variant``: the one that is built if it is available, the first location's if not given.
    ``releases``: URL of upstream's list of releases, in the form of kernel.org's.
    ``members``: files that it must have, so that a first use of something else is refused.
    """

    name: Name
    file: FileName
    locations: tuple[Location, ...]
    sha256: Digest | None = None
    max_bytes: Amount = 2 * _GIB
    signed_by: tuple[SigningKey, ...] = ()
    alternative: str = ""
    variant: OptionalName = ""
    releases: str = ""
    members: tuple[PathBelow, ...] = ()

    @property
    def preferred(self) -> str:
        """The name of the variant that is built if it is available."""
        return self.variant or self.locations[0].serves

    @property
    def variants(self) -> tuple[str, ...]:
        """The names of all variants, the preferred one first."""
        return tuple(dict.fromkeys([self.preferred, *(one.serves for one in self.locations)]))

    def alone(self, variant: str) -> Source:
        """The source with one of its variants alone.

        Where signatures lie beside the files, the keys are for the variants that have one.
        """
        locations = tuple(one for one in self.locations if one.serves == variant)
        beside = any(one.signature for one in self.locations)
        signed = not beside or any(one.signature for one in locations)
        keys = self.signed_by if signed else ()
        replace = msgspec.structs.replace
        return replace(self, locations=locations, variant=variant, signed_by=keys)

    @property
    def in_order(self) -> tuple[Location, ...]:
        """The locations as they are asked: those of the preferred variant go first."""
        return tuple(sorted(self.locations, key=lambda one: one.serves != self.preferred))


class Bounds(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How patient a download is.  Times in seconds.

    ``attempts`` counts tries in a row that brought nothing new; ``total`` is for one location.
    ``retry_after``: the longest wait that a server may ask for.  ``reach``: within this time,
    counted once for all locations of a source, a server must take a connection.
    """

    connect: float = 15.0
    stall: float = 60.0
    total: float = 7200.0
    attempts: int = 5
    backoff: float = 0.5
    backoff_cap: float = 30.0
    retry_after: float = 120.0
    reach: float = 8.0
    redirects: int = 10


class Fetched(msgspec.Struct, frozen=True):
    """A verified file in the cache.  ``url``: the location that served it, as in sources.lock.

    ``variant``: which of the source's.  ``verified``: how, in words for people.
    """

    name: str
    file: str
    path: Path
    sha256: Digest
    size: Size
    url: str
    version: str | None = None
    variant: str = ""
    verified: str = ""
