"""What is built: the typed form of ``specs/<profile>/profile.toml``.

Every field is data; code never asks for a profile's or a component's name.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from builder.forensics.copies import KabiList, LayoutCheck
from builder.kernel.vendor import Vendor
from builder.lab.series import Fullnat
from builder.patch.fix import Fix
from builder.source.model import Source
from builder.values import (
    Author,
    FileName,
    Init,
    Line,
    Name,
    OptionalName,
    PathBelow,
    Suffix,
    Version,
)


class Changelog(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The newest changelog entry of every spec.

    ``date``: a day such as ``Mon Nov 23 2026``; it is the SOURCE_DATE_EPOCH of the builds.
    ``author``: ``NAME <USER@HOST>``.
    ``text``: one line.
    """

    date: str
    author: Author
    text: Line


class Flavour(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One configuration of the kernel.

    ``summary``: one line about it.
    ``fragments``: files of ``kernel-config/``; later ones add to earlier ones.
    ``suffix``: appended to the release of flavoured components, so that two flavours never share a
    version.
    ``objects``: number of files that its kernel compiles, for the progress of a first build; 0 if
    nobody has counted them.
    """

    summary: Line
    fragments: tuple[FileName, ...] = ()
    suffix: Suffix = ""
    objects: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 0


class ForeignPatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A patch that comes out of another source.

    ``source``: name of that source.
    ``file``: path of the patch in that source's tree.
    ``crlf``: its author wrote it with CRLF line ends; without this they are taken for a damaged
    archive.
    """

    source: Name
    file: PathBelow
    crlf: bool = False

    @property
    def name(self) -> str:
        return self.file.rpartition("/")[2]


class Variant(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is different when a component is built in a certain base, or in a certain flavour.

    ``settings``: added to the component's settings.
    ``patches``: patches out of sources, applied after those of the component.
    ``series``: folders of ``patches/<profile>/`` whose series are applied after the component's
    own.
    """

    settings: dict[str, str] = {}
    patches: tuple[ForeignPatch, ...] = ()
    series: tuple[Name, ...] = ()


class Component(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One thing that becomes RPMs.

    ``name``: the name of its table.
    ``package``: Name of the spec.
    ``version``: Version of the RPMs.
    ``release``: Release of the RPMs.
    ``packages``: the binary RPMs that the build must produce.
    ``source``: name of the source; empty for packages that hold only files of the project.
    ``inside``: an archive in the source, and a folder in that archive, if the tree is not the
    source's own.
    ``flavoured``: the release carries the suffix of the flavour.
    ``configured``: its sources have ``kernel.config``, merged from the fragments of the flavour.
    ``settings``: values for the spec template.
    ``patches``: patches out of other sources, applied before the component's own series.
    ``fixes``: those of its patches that are applied only where the source has the fault.
    ``needs``: components that are built before; their RPMs' files are below
    ``%{needs}/COMPONENT``.
    ``flavour``: what is different in a flavour.
    ``base``: what is different in a base; the base has the last word.
    ``vendor``: its source is a source RPM that is built by its own spec, amended.
    ``kabi``: the vendor's list of symbols that must keep their CRCs.
    ``bases``: the bases that it is built in; all if none is named.
    ``guest_only``: its RPMs are installed in the test guest and are in no repository.
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
    """What is built: components, their sources, and the base in which they are built.

    ``name``: the name of the profile's folder.
    ``summary``: one line about it.
    ``base``: the folder of ``dockerfiles/`` in which everything is built; ``--base`` overrides it.
    ``default_flavour``: the flavour that is built if none is named.
    ``target``: a file in the profile's folder: what the distribution provides for which the RPMs
    are.
    ``changelog``: the newest entry of every changelog.
    ``flavour``: configurations of the kernel, by name.
    ``component``: components, by name.
    ``source``: sources, by name.
    ``install``: the packages that the disk image gets, with all that they require.
    ``init``: the first program of the disk image; it selects ``[guest.INIT]`` of the base and the
    self-test ``builder/smoke/guest/INIT/``.
    ``layout``: headers of which several components have copies that must agree.
    ``lab``: what FULLNAT of this profile looks like in captures, if the lab can try it.
    """

    name: Name
    summary: Line
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
