"""What is built: the typed form of ``specs/<profile>/profile.toml``.

Every field is data; code never asks for a profile's or a component's name.
"""

from __future__ import annotations

import msgspec

from builder.source.model import Source


class Changelog(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The newest entry of every spec's changelog; its date is the builds' SOURCE_DATE_EPOCH."""

    date: str
    author: str
    text: str


class Flavour(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One configuration of the kernel.

    ``fragments``: files of ``kernel-config/``, later ones add to earlier ones.
    ``suffix``: appended to the release of flavoured components, so that two flavours
    never share a version.
    """

    summary: str
    fragments: tuple[str, ...]
    suffix: str = ""


class ForeignPatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A patch that comes out of a source: ``file`` is its path in that source's tree."""

    source: str
    file: str

    @property
    def name(self) -> str:
        return self.file.rpartition("/")[2]


class InBase(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is different when a component is built in a certain base.

    ``settings``: added to the component's own.  ``series``: folders of the profile's patches
    that are applied after the component's own series.
    """

    settings: dict[str, str] = {}
    series: tuple[str, ...] = ()


class Component(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One thing that becomes RPMs.

    ``package``: Name of the spec.  ``source``: name of the source table, empty for
    packages that hold only files of ours.  ``packages``: the binary RPMs that the build
    must produce.  ``flavoured``: its release carries the flavour's suffix.
    ``configured``: its sources have ``kernel.config``, made of the flavour's fragments.
    ``settings``: handed to the spec template as they are.  ``patches``: come out of other
    sources, and are applied before the component's own series.  ``needs``: components whose
    RPMs it is built with.  ``base``: what is different in a base, by its name.
    """

    package: str
    version: str
    release: str
    packages: tuple[str, ...]
    source: str = ""
    flavoured: bool = False
    configured: bool = False
    settings: dict[str, str] = {}
    patches: tuple[ForeignPatch, ...] = ()
    needs: tuple[str, ...] = ()
    base: dict[str, InBase] = {}

    def in_base(self, name: str) -> InBase:
        """What is different in the base ``name``."""
        return self.base.get(name, InBase())


class Profile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A profile: components, their sources, and the base they are built in.

    ``host``: the table of what the target distribution provides, in the profile's folder.
    ``install``: the packages that the disk image gets, with what they require.
    """

    name: str
    summary: str
    base: str
    default_flavour: str
    host: str
    changelog: Changelog
    flavour: dict[str, Flavour]
    component: dict[str, Component]
    source: dict[str, Source]
    install: tuple[str, ...] = ()
