"""What is to be fetched, from where, within which bounds, and what came of it."""

from __future__ import annotations

from pathlib import Path

import msgspec

from builder.digest import Digest, Size
from builder.shown import without_secrets
from builder.values import PACKAGED, Amount, FileName, Fingerprint, Name, OptionalName, PathBelow

_GIB = 1 << 30


class Location(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One place that serves a source.

    ``url``: ``apt:PACKAGE[=VERSION]``, ``apt-source:PACKAGE[=VERSION]``, or a URL of ``https``,
    ``http``, ``ftp`` or ``file`` (absolute, or relative to the project).
    ``sha256``: the digest of this location's file, where it differs from that of the others.
    ``member``: the path of the file inside the package; for ``apt:`` only.
    ``variant``: the variant of the source that it serves; ``apt``, ``apt-source`` or ``upstream``
    by default, according to the URL.
    ``signature``: the URL of its author's signature, of the file (``x.tar.xz.asc``) or of the
    uncompressed tar (``x.tar.sign``); one of ``signed_by`` must have made it.
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
        """Whether apt downloads it."""
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
    """A key that may have signed a source.

    ``key``: an armoured public key, a file in the profile's folder.
    ``fingerprint``: 40 hexadecimal digits in capitals, which the key in the file must have.
    """

    key: PathBelow
    fingerprint: Fingerprint


class Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One input: its file name, its locations in order of preference, and its digest.

    ``name``: the name of its table.
    ``file``: name of the file in SOURCES, in the drop-in folder and in messages.
    ``locations``: where it is served, in order of preference.
    ``sha256``: digest of the file, for all locations that have none of their own; ``sources.lock``
    has it otherwise.
    ``max_bytes``: anything larger is refused; bytes.
    ``signed_by``: keys, one of which must have signed it: an RPM, or a file that has a
    ``signature``.
    ``alternative``: the end of the message when no location serves it: what else to do.
    ``variant``: the variant that is built if it is available; that of the first location by
    default.
    ``releases``: URL of upstream's list of releases, in the form of kernel.org's, for ``invoke
    update``.
    ``members``: paths, without the tar's top folder, that it must have, so that a first use of
    something else is refused.
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
        """The source with only one of its variants.

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
        """The locations in the order of use: those of the preferred variant come first."""
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
