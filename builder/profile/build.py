"""What a run builds: a profile in one flavour and one base, with nothing left to choose.

``resolve`` is called once in a run.  Code that has a ``Build`` needs no exceptions of flavours or
bases, and reads no table again.
"""

from __future__ import annotations

import calendar
import time

import msgspec

from builder.base.model import Base
from builder.forensics.copies import KabiList, LayoutCheck
from builder.kernel import vendor
from builder.kernel.vendor import Amendment
from builder.lab.series import Fullnat
from builder.patch.fix import Fix
from builder.patch.fuzz import MAX_FUZZ
from builder.profile.model import Changelog, Component, Flavour, ForeignPatch, Profile
from builder.source.model import Source
from builder.values import Init

DATE_FORMAT = "%a %b %d %Y"


class BuildPart(msgspec.Struct, frozen=True, kw_only=True):
    """A component as it is built; its fields are ``Component``'s, but none is provisional.

    ``release``: with the flavour's suffix where it has one.  ``series``: the folders of the
    profile's patches that are applied in turn, after ``patches``.  ``vendor``: all that is amended.
    """

    name: str
    package: str
    version: str
    release: str
    packages: tuple[str, ...]
    source: Source | None = None
    inside: tuple[str, ...] = ()
    configured: bool = False
    settings: dict[str, str] = {}
    patches: tuple[ForeignPatch, ...] = ()
    series: tuple[str, ...] = ()
    fixes: tuple[Fix, ...] = ()
    needs: tuple[str, ...] = ()
    vendor: Amendment | None = None
    kabi: KabiList | None = None
    guest_only: bool = False

    @property
    def fuzz(self) -> int:
        """Context lines at either end of a hunk that need not match, as its packing allows."""
        return self.vendor.patches.fuzz if self.vendor is not None else MAX_FUZZ

    @property
    def is_kernel(self) -> bool:
        """Whether it is a kernel, of its vendor or configured here."""
        return self.configured or self.vendor is not None

    @property
    def looked_for(self) -> frozenset[str]:
        """Files that its source must have, apart from patches."""
        spec = (self.vendor.spec,) if self.vendor is not None else ()
        kabi = (self.kabi.file,) if self.kabi is not None else ()
        return frozenset((*self.inside[:1], *spec, *kabi))


class Build(msgspec.Struct, frozen=True, kw_only=True):
    """What is built, in what, and out of what.

    ``profile``, ``flavour``: their names. ``default_base``: the profile's own. ``fragments``:
    files of ``kernel-config/`` that make the kernel's configuration. ``install``: packages that
    the disk image gets, the guest's own among them. ``objects``: how many files its kernel
    compiles, 0 if nobody has counted them. What is not named here is as in ``Profile``.
    """

    profile: str
    flavour: str
    base: Base
    default_base: str
    changelog: Changelog
    fragments: tuple[str, ...]
    parts: dict[str, BuildPart]
    sources: dict[str, Source]
    target: str
    install: tuple[str, ...]
    init: Init
    layout: tuple[LayoutCheck, ...]
    lab: Fullnat | None
    objects: int = 0

    @property
    def epoch(self) -> int:
        """SOURCE_DATE_EPOCH: midnight UTC of the changelog's date, as rpmbuild has it."""
        return calendar.timegm(time.strptime(self.changelog.date, DATE_FORMAT))


def resolve(profile: Profile, flavour: str, base: Base) -> Build:
    """What a profile means in this flavour, which it has, and this base.

    Components that are not built in this base are left out.  Raises UsageError for a malformed
    line of a vendor's configuration.
    """
    chosen = profile.flavour[flavour]
    built = (one for one in profile.component.values() if one.is_built_in(base.name))
    return Build(
        profile=profile.name,
        flavour=flavour,
        base=base,
        default_base=profile.base,
        changelog=profile.changelog,
        fragments=chosen.fragments,
        parts={one.name: _part(profile, one, flavour, chosen, base.name) for one in built},
        sources=profile.source,
        target=profile.target,
        install=(*profile.install, *base.guest.install),
        init=profile.init,
        layout=profile.layout,
        lab=profile.lab,
        objects=chosen.objects,
    )


def _part(
    profile: Profile, component: Component, flavour: str, chosen: Flavour, base: str
) -> BuildPart:
    variants = component.variants(flavour, base)
    settings = dict(component.settings)
    for variant in variants:
        settings |= variant.settings
    amended = component.vendor
    return BuildPart(
        name=component.name,
        package=component.package,
        version=component.version,
        release=component.release + (chosen.suffix if component.flavoured else ""),
        packages=component.packages,
        source=profile.source[component.source] if component.source else None,
        inside=component.inside,
        configured=component.configured,
        settings=settings,
        patches=(*component.patches, *(one for variant in variants for one in variant.patches)),
        series=(component.name, *(folder for variant in variants for folder in variant.series)),
        fixes=component.fixes,
        needs=component.needs,
        vendor=vendor.resolve(amended, base, flavour) if amended is not None else None,
        kabi=component.kabi,
        guest_only=component.guest_only,
    )
