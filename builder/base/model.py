"""A base as data: ``dockerfiles/<base>/base.toml`` and its package lists."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import ClassVar, Literal

import msgspec

from builder import names, toml, values
from builder import text as texts
from builder.base import snapshot
from builder.errors import UsageError
from builder.values import Amount, FileName, Image, Line, Moment, Name, PathBelow, Suite

Kind = Literal["build", "guest"]
Limits = tuple[Amount, Amount]

FILE_NAME = "base.toml"
KEYS = "see docs/reference/configuration.md for the keys and their types"
OPEN_FILES: Limits = (4096, 4096)


class GuestRoot(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A root file system of virtual machines; paths are below the base's folder.

    ``packages``: lists of packages, one package a line.
    ``files``: folders that are copied into the root, one after the other.
    ``provides``: a table of what RPMs may require of it, by the target distribution's names.
    ``install``: packages of the profile's repository that it needs itself.
    """

    packages: tuple[PathBelow, ...]
    files: tuple[PathBelow, ...]
    provides: PathBelow
    install: tuple[FileName, ...] = ()


class Mmdebstrap(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A base made of Debian packages by mmdebstrap(1).

    ``name``: the name of the folder.
    ``method``: how the base is made.
    ``suite``: Debian's release.
    ``variant``: mmdebstrap's variant.
    ``components``: components of the archive, such as ``main``.
    ``epoch``: seconds since 1970; no file of the base is newer.
    ``build``: lists of packages of the build image.
    ``guest``: roots of virtual machines, by the first program that they run.
    ``snapshot``: entries for apt (sources.list(5)) that are used instead of the host's.
    ``vsyscall``: its programs need the vsyscall page (see ``vsyscall`` in the kernel's
    admin-guide/kernel-parameters).
    ``noprep``: its rpmbuild can skip %prep.
    ``nofile``: open files of a process in its containers: soft and hard limit.
    """

    # Debian Policy 5.6.1: names of packages.
    PACKAGE: ClassVar[re.Pattern[str]] = re.compile(r"^[a-z0-9][a-z0-9+.-]+(:[a-z0-9]+)?$")

    name: Name
    method: Literal["mmdebstrap"]
    suite: Suite
    variant: Literal["essential", "apt", "minbase", "buildd"]
    components: tuple[FileName, ...]
    epoch: Moment
    build: tuple[PathBelow, ...]
    guest: dict[Name, GuestRoot]
    snapshot: tuple[Line, ...] = ()
    vsyscall: bool = False
    noprep: bool = True
    nofile: Limits = OPEN_FILES

    @property
    def key_files(self) -> tuple[str, ...]:
        """No key files: the host's apt has the keys."""
        return ()


class Yum(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A base made of RPMs, by an rpm of their own time.

    ``name``: the name of the folder.
    ``method``: how the base is made.
    ``release``: the release, a folder of the mirrors.
    ``arch``: the architecture, a folder of the repositories.
    ``repositories``: repositories, folders below the release.
    ``mirrors``: URLs of the vault, in order of preference.
    ``keys``: files of the base's folder with the OpenPGP keys that sign the RPMs.
    ``first``: packages of the root whose rpm installs the real one, unless ``image`` has it.
    ``uname``: what ``uname -r`` prints in builds.
    ``epoch``: seconds since 1970; no file of the base is newer.
    ``build``: lists of packages of the build image.
    ``guest``: roots of virtual machines, by the first program that they run.
    ``image``: ``NAME@sha256:DIGEST`` of an image that has an rpm of that time.
    ``snapshot``: mirrors that are asked instead of all others.
    ``vsyscall``: its programs need the vsyscall page (see ``vsyscall`` in the kernel's
    admin-guide/kernel-parameters).
    ``noprep``: its rpmbuild can skip %prep.
    ``nofile``: open files of a process in its containers: soft and hard limit.
    """

    # A name, or what a package provides: perl(ExtUtils::Embed).
    PACKAGE: ClassVar[re.Pattern[str]] = re.compile(
        r"^[A-Za-z0-9][A-Za-z0-9+._-]*(\([\w:.+-]+\))?$"
    )

    name: Name
    method: Literal["yum"]
    release: FileName
    arch: FileName
    repositories: tuple[FileName, ...]
    mirrors: tuple[str, ...]
    keys: tuple[PathBelow, ...]
    first: tuple[FileName, ...]
    uname: FileName
    epoch: Moment
    build: tuple[PathBelow, ...]
    guest: dict[Name, GuestRoot]
    image: Image = ""
    snapshot: tuple[Line, ...] = ()
    vsyscall: bool = False
    noprep: bool = True
    nofile: Limits = OPEN_FILES

    @property
    def key_files(self) -> tuple[str, ...]:
        """Names of files in the base's folder."""
        return self.keys


Settings = Mmdebstrap | Yum


class _Named(msgspec.Struct, frozen=True):
    """The part of base.toml that says how to read the rest."""

    method: Literal["mmdebstrap", "yum"]


_SETTINGS: dict[str, type[Settings]] = {"mmdebstrap": Mmdebstrap, "yum": Yum}


class Base(msgspec.Struct, frozen=True):
    """A base with the contents of its package lists, sorted, each package once.

    ``guest``: the root of virtual machines that was asked for, ``guest_name`` its name.  ``keys``:
    the texts of its OpenPGP keys.  ``folder``: where its files are, of the name that people know
    it by.
    """

    settings: Settings
    guest_name: str
    guest: GuestRoot
    build_packages: tuple[str, ...]
    guest_packages: tuple[str, ...]
    keys: tuple[str, ...] = ()
    folder: Path = Path()

    @property
    def name(self) -> str:
        return self.folder.name

    def packages(self, kind: Kind) -> tuple[str, ...]:
        return self.build_packages if kind == "build" else self.guest_packages


def available(bases: Path) -> tuple[str, ...]:
    """Names of the bases in the folder ``bases``, sorted."""
    found = {path.parent.name for path in bases.glob(f"*/{FILE_NAME}")}
    return tuple(sorted(filter(names.is_name, found)))


def find(bases: Path, name: str) -> str:
    """``name``, if there is a base of that name; raises UsageError with the nearest name."""
    return names.choose("base", name, available(bases), "--base names a folder of dockerfiles/")


def load_base(folder: Path, guest: str = "") -> Base:
    """Read a base.  Raises UsageError with file and line if something is wrong.

    ``guest``: the init of the virtual machines' root; by default the base's first one.
    """
    path = folder / FILE_NAME
    words = texts.read(path)
    document = toml.parse(path, words)
    named = toml.convert(path, words, document, _Named, "", hint=KEYS)
    guests = document.get("guest", {})
    document["guest"] = toml.convert_tables(path, words, guests, GuestRoot, "guest", hint=KEYS)
    settings = toml.convert(path, words, document, _SETTINGS[named.method], "", hint=KEYS)
    for place, cause in _faults(settings):
        raise toml.refuse(path, toml.line_of(words, place), cause, KEYS)
    name, root = _guest_root(path, settings, guest)
    return Base(
        _with_snapshot(settings),
        name,
        root,
        _packages(folder, settings, settings.build),
        _packages(folder, settings, root.packages),
        tuple(_read(folder / name, "key") for name in settings.key_files),
        folder,
    )


def load_named(bases: Path, name: str, guest: str = "") -> Base:
    """The base in the folder ``name`` of ``bases``, which must have that name in its file, too.

    Raises UsageError as ``load_base``.
    """
    base = load_base(bases / name, guest)
    if base.settings.name != name:
        path = bases / name / FILE_NAME
        cause = f"name: {names.shown(base.settings.name)} is not the name of the folder"
        raise toml.refuse(
            path, toml.line_of(texts.read(path), "name"), cause, f'write name = "{name}"'
        )
    return base


def _faults(settings: Settings) -> Iterator[tuple[str, str]]:
    """Each fault: its place in the file, and what is wrong."""
    soft, hard = settings.nofile
    if soft > hard:
        yield "nofile", f"nofile: the soft limit {soft} is above the hard one, {hard}"
    for mirror in settings.mirrors if isinstance(settings, Yum) else ():
        fault = values.url_fault(mirror, (*values.NETWORK, "file"))
        if fault:
            yield "mirrors", f"mirrors: {fault}"
    for fault in _snapshot_faults(settings, settings.snapshot):
        yield snapshot.KEY, f"{snapshot.KEY}: {fault}"


def _snapshot_faults(settings: Settings, entries: Iterable[str]) -> Iterator[str]:
    for entry in entries:
        if isinstance(settings, Yum):
            fault = snapshot.url_fault(entry)
        else:
            fault = snapshot.entry_fault(entry, settings.suite)
        if fault:
            yield fault


def _with_snapshot(settings: Settings) -> Settings:
    """The settings with the snapshot that the environment names, if it names one."""
    entries = snapshot.from_environment()
    for fault in _snapshot_faults(settings, entries):
        raise UsageError(
            f"{snapshot.VARIABLE} cannot be used for base {settings.name}",
            fault,
            f"unset {snapshot.VARIABLE}, or see docs/explanation/profiles.md (values of a base)",
        )
    return msgspec.structs.replace(settings, snapshot=entries) if entries else settings


def _guest_root(path: Path, settings: Settings, name: str) -> tuple[str, GuestRoot]:
    offered = settings.guest
    if not offered or (name and name not in offered):
        raise UsageError(
            f"base {settings.name} has no guest root with init {name!r}"
            f"{names.nearest(name, offered)}",
            f"{path}: tables [guest.INIT] are there for: {', '.join(offered) or 'nothing'}",
            "name one of these in the profile (init), or take another base",
        )
    return (name, offered[name]) if name else next(iter(offered.items()))


def _packages(folder: Path, settings: Settings, lists: tuple[str, ...]) -> tuple[str, ...]:
    found = {word for name in lists for word in _read_list(folder / name, settings.PACKAGE)}
    return tuple(sorted(found))


def _read(path: Path, what: str) -> str:
    try:
        return texts.read(path)
    except OSError as error:
        raise UsageError(
            f"a {what} of base {path.parent.name} cannot be read",
            str(error),
            f"write {path.name}, or take it out of base.toml",
        ) from error


def _read_list(path: Path, pattern: re.Pattern[str]) -> list[str]:
    found = []
    for number, line in enumerate(_read(path, "package list").splitlines(), 1):
        word = line.partition("#")[0].strip()
        if word and not pattern.match(word):
            raise UsageError(
                f"a package list of base {path.parent.name} is wrong",
                f"{path}:{number}: {word!r} is not a package name",
                "write one package a line; what follows # is a comment",
            )
        if word:
            found.append(word)
    return found
