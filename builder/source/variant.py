"""Which bytes a source may have: its variants, their digests, and what each location may serve.

The pin is the content: bytes with a pinned digest are accepted, wherever they come from.  An
unpinned variant is not accepted beside a pinned one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from builder.digest import Digest
from builder.source.model import Location, Source
from builder.source.pins import NEXT, Pin
from builder.source.revision import Revision, upstream

if TYPE_CHECKING:
    from builder.source.apt import Package

DROPIN = "drop-in"  # the pin of a file first supplied by hand, whatever its variant


class Known(msgspec.Struct, frozen=True):
    """A digest that a variant of a source may have, and its pin where it has one."""

    variant: str
    sha256: Digest
    label: str
    pin: Pin | None = None


def known(source: Source, pins: Mapping[str, Pin]) -> tuple[Known, ...]:
    """All known digests of a source, the preferred variant's first.

    The profile takes precedence over ``pins`` (see ``known.valid_pins``).
    """
    found = [one for name in source.variants for one in _of_variant(source, name, pins)]
    brought = pins.get(DROPIN)
    if brought is not None and source.sha256 in (None, brought.sha256):
        found.append(Known(source.preferred, brought.sha256, brought.url, brought))
    return tuple(found)


def _of_variant(source: Source, name: str, pins: Mapping[str, Pin]) -> list[Known]:
    labels = {location.label for location in source.locations}
    held = [pins[one] for one in (name, f"{name}{NEXT}") if one in pins]
    # While a source moves to another revision of its file there are two pins.
    held.sort(key=lambda pin: pin.url not in labels)
    said = {
        digest: location.label
        for location in source.locations
        if location.serves == name and (digest := location.sha256 or source.sha256)
    }
    if not said:
        return [Known(name, pin.sha256, pin.url, pin) for pin in held]
    return [
        Known(name, digest, label, next((pin for pin in held if pin.sha256 == digest), None))
        for digest, label in said.items()
    ]


class Choice(msgspec.Struct, frozen=True):
    """What may be used: the known digests of ``source``, none if this is its first use.

    ``locked``: bytes with an unknown digest are refused, whoever signed them.
    """

    source: Source
    known: tuple[Known, ...]
    locked: bool = False

    @property
    def digests(self) -> frozenset[Digest]:
        return frozenset(one.sha256 for one in self.known)

    def variant_of(self, sha256: Digest, otherwise: str) -> str:
        """The variant that has these bytes; ``otherwise`` if none is known to."""
        return next((one.variant for one in self.known if one.sha256 == sha256), otherwise)

    def is_known(self, variant: str) -> bool:
        return any(one.variant == variant for one in self.known)

    def is_barred(self, location: Location) -> bool:
        """Whether it is said to serve another variant than those whose bytes are known."""
        if not self.known or self.is_known(location.serves) or self.vouched(location):
            return False
        return bool(location.variant)

    def vouched(self, location: Location) -> bool:
        """Whether a signature may vouch for what it serves, whose digest is not known."""
        is_signed = bool(location.signature and self.source.signed_by)
        return is_signed and not self.is_known(location.serves) and not self.locked

    def allowed(self, location: Location) -> frozenset[Digest]:
        """The digests that may come from a location; empty if other digests may come, too."""
        return frozenset() if self.vouched(location) else self.digests

    def version(self, location: Location) -> str | None:
        """The revision of a package that the pinned bytes of its variant were in."""
        pins = (one.pin for one in self.known if one.variant == location.serves)
        return next((pin.version for pin in pins if pin and pin.version), None)

    def revisions(self, package: Package, served: Sequence[Revision]) -> tuple[Revision, ...]:
        """The revisions of ``package`` to be tried, in order: the wanted one, then others.

        Without a known digest, there are no others.  Otherwise they are those whose listed digest
        is known and, where the lists have none, those of the same upstream version.
        """
        meant = [one for one in served if one.version == package.version]
        version = package.version or (served[0].version if served else "")
        fitting = [
            one
            for one in served
            if one.sha256 in self.digests
            or (one.sha256 is None and self.known and one.upstream == upstream(version))
        ]
        return tuple(dict.fromkeys([*meant, *fitting]))
