"""What is built: the typed form of ``specs/<profile>/profile.toml``.

Every field is data; code never asks for a profile's or a component's name.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from builder.forensics.copies import KabiList, LayoutCheck
from builder.kernel.vendor import Vendor
from builder.lab.series import Fullnat
from builder.names import FileName, Name, OptionalName
from builder.patch.fix import Fix
from builder.source.model import Source
from builder.values import Author, Init, Line, PathBelow, Suffix, Version


class Changelog(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The newest entry of every spec's changelog; its date is the builds' SOURCE_DATE_EPOCH."""

    date: str
    author: Author
    text: Line


class Flavour(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One configuration of the kernel.

    ``fragments``: files of ``kernel-config/``, later ones add to earlier ones.
    ``suffix``: appended to the release of flavoured components, so that two flavours
    never share a version.  ``objects``: how many files its kernel compiles, for the progress of a
    first build; 0 if nobody has counted them.
    """

    summary: str
    fragments: tuple[FileName, ...] = ()
    suffix: Suffix = ""
    objects: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 0


class ForeignPatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A patch that comes out of a source: ``file`` is its path in that source's tree.

    ``crlf``: its author wrote it with CRLF line ends; else they tell of a spoilt archive.
    """

    source: Name
    file: PathBelow
    crlf: bool = False

    @property
    def name(self) -> str:
        return self.file.rpartition("/")[2]


class Variant(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is different when a component is built in a certain base, or flavour.

    ``settings``: added to the component's own.  ``patches``: out of sources, applied after
    the component's.  ``series``: folders of the profile's patches that are applied after the
    component's own series.
    """

    settings: dict[str, str] = {}
    patches: tuple[ForeignPatch, ...] = ()
    series: tuple[Name, ...] = ()


class Component(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One thing that becomes RPMs.

    ``name``: its table's. ``package``: Name of the spec. ``source``: name of the source table,
    empty for packages that hold only files of ours. ``packages``: the binary RPMs that the build
    must produce. ``inside``: its tree is not the source's own but that of an archive in it, or of
    a folder in that archive. ``flavoured``: its release carries the flavour's suffix.
    ``configured``: its sources have ``kernel.config``, made of the flavour's fragments.
    ``settings``: handed to the spec template as they are. ``patches``: come out of other sources,
    and are applied before the component's own series. ``fixes``: those of all its patches that
    are applied only where the source has their fault. ``needs``: components whose RPMs it is
    built with. ``flavour`` and ``base``: what is different there, by name; the base has the last
    word. ``vendor``: its source is a source RPM, whose spec is amended. ``kabi``: the vendor's
    list of symbols that must keep their CRCs. ``bases``: those that it is built in, all if none
    is named. ``guest_only``: its RPMs are for the test guest, and in no operator's repository.
    """

    name: Name
    package: FileName
    version: Version
    release: Version
    packages: tuple[FileName, ...]
    source: OptionalName = ""
    inside: tuple[PathBelow, ...] = ()
    flavoured: bool = False
    configured: bool = False
    settings: dict[str, str] = {}
    patches: tuple[ForeignPatch, ...] = ()
    fixes: tuple[Fix, ...] = ()
    needs: tuple[Name, ...] = ()
    flavour: dict[Name, Variant] = {}
    base: dict[Name, Variant] = {}
    vendor: Vendor | None = None
    kabi: KabiList | None = None
    bases: tuple[Name, ...] = ()
    guest_only: bool = False

    def is_built_in(self, base: str) -> bool:
        return not self.bases or base in self.bases

    def variants(self, flavour: str, base: str) -> tuple[Variant, ...]:
        """What is different, in the order in which it is added."""
        return (self.flavour.get(flavour, Variant()), self.base.get(base, Variant()))

    def foreign_patches(self) -> tuple[ForeignPatch, ...]:
        """Every patch out of a source that any variant names."""
        variants = (*self.flavour.values(), *self.base.values())
        return (*self.patches, *(patch for one in variants for patch in one.patches))


class Profile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A profile: components, their sources, and the base they are built in.

    ``target``: the table of what the distribution that the RPMs are for provides, in the
    profile's folder.
    ``install``: the packages that the disk image gets, with what they require.
    ``init``: what the disk image starts first: names the root that it is made of, in the base,
    and its self-test, in ``builder/smoke/guest``.
    ``layout``: what the components' copies of a header must agree on.
    ``lab``: its FULLNAT as the lab's captures must show it, if it can be tried there.
    """

    name: Name
    summary: str
    base: Name
    default_flavour: Name
    target: FileName
    changelog: Changelog
    flavour: dict[Name, Flavour]
    component: dict[Name, Component]
    source: dict[Name, Source]
    install: tuple[FileName, ...] = ()
    init: Init = "systemd"
    layout: tuple[LayoutCheck, ...] = ()
    lab: Fullnat | None = None
