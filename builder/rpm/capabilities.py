"""What RPMs require of the target distribution, compared with what it provides."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from builder import text as texts
from builder import toml
from builder.archive import rpm
from builder.errors import UsageError, VerificationError
from builder.rpm.library import createrepo_c

_HEADER = "its header shows the format"
_SONAME = re.compile(r"^(?P<name>[^()]+)\((?P<version>[^()]*)\)\(64bit\)$")
_PREFIXED = re.compile(r"^(?P<prefix>.*?)(?P<numbers>\d+(?:\.\d+)*)$")


class Soname(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A shared library of the target and the symbol versions that it defines."""

    package: str
    versions: tuple[str, ...]
    note: str = ""


class Provided(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A feature, package name or path of the target; ``version``: at least this one is there."""

    package: str
    version: str = ""
    note: str = ""


class TargetName(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which distribution this is about."""

    name: str
    arch: str
    isa_suffix: str


class Target(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything that a target provides; the form is described in the file itself."""

    target: TargetName
    soname: dict[str, Soname]
    feature: dict[str, Provided]
    name: dict[str, Provided]


@dataclass(frozen=True)
class Requirement:
    """One Requires of one RPM.  ``flag``: ``EQ``, ``GE``, … or empty; ``version`` without epoch."""

    rpm: str
    name: str
    flag: str
    version: str

    def __str__(self) -> str:
        return f"{self.name} {self.flag} {self.version}".strip()


@dataclass(frozen=True)
class OutsideRequirement:
    """A requirement from outside the set, and who meets it (empty: nobody)."""

    requirement: Requirement
    met_by: str


def load_target(path: Path) -> Target:
    """Read the table of what a target provides.  Raises UsageError with its place in the file."""
    try:
        words = texts.read(path)
    except OSError as error:
        raise UsageError(
            f"{path.name} cannot be read",
            str(error),
            f"fix {path.name}: {_HEADER}",
        ) from error
    document = toml.parse(path, words)
    toml.require_present_names(path, words, document, {"host": "target"})
    for kind, form in (("soname", Soname), ("feature", Provided), ("name", Provided)):
        tables = document.get(kind)
        for name, table in tables.items() if isinstance(tables, dict) else ():
            toml.convert(path, words, table, form, f"{kind}.{name}", hint=_HEADER)
    return toml.convert(path, words, document, Target, "", hint=_HEADER)


def requirements(rpms: tuple[Path, ...]) -> tuple[Requirement, ...]:
    """What a set of RPMs requires and does not provide by itself.

    rpm's own features are included; the target's rpm must have them.  Raises VerificationError for
    a file that is not an RPM.
    """
    # First, because it judges what librpm would believe.
    features = {entry for path in rpms for entry in _features(path)}
    packages = [createrepo_c.package_from_rpm(str(path)) for path in rpms]
    provided = {entry[0] for package in packages for entry in package.provides}
    provided |= {f"{folder}{name}" for package in packages for _, folder, name, *_ in package.files}
    found = {
        Requirement(package.name, entry[0], entry[1] or "", entry[4 - 1] or "")
        for package in packages
        for entry in package.requires
        if entry[0] not in provided
    }
    return tuple(sorted(found | features, key=lambda entry: (entry.rpm, entry.name, entry.version)))


def _features(path: Path) -> Iterator[Requirement]:
    """What an RPM requires of rpm itself, ``rpmlib(...)``; createrepo_c leaves these out."""
    header = rpm.read(path).header
    names, versions = header.texts(rpm.REQUIRE_NAME), header.texts(rpm.REQUIRE_VERSION)
    if len(names) != len(versions):
        raise VerificationError(
            f"{path.name} is not a complete RPM",
            f"it has {len(names)} requirements, but versions of {len(versions)}",
            "build it again",
        )
    for name, version in zip(names, versions, strict=True):
        if name.startswith("rpmlib("):
            yield Requirement(header.text(rpm.NAME), name, "LE", version)


def hold(target: Target, wanted: Iterable[Requirement]) -> tuple[OutsideRequirement, ...]:
    """Who meets each requirement on the target; an empty ``met_by`` means that nobody does."""
    return tuple(OutsideRequirement(entry, _met_by(target, entry)) for entry in wanted)


def demand(target: Target, findings: Iterable[OutsideRequirement]) -> None:
    """Raise VerificationError that names every RPM and requirement that the target lacks."""
    missing = [
        f"{one.requirement.rpm} requires {one.requirement}" for one in findings if not one.met_by
    ]
    if missing:
        raise VerificationError(
            f"{len(missing)} requirements are not available on {target.target.name}",
            "\n".join(missing),
            "build against what the target has, or correct the table of what it provides",
        )


def _met_by(target: Target, wanted: Requirement) -> str:
    soname = _SONAME.match(wanted.name)
    if soname:
        library = target.soname.get(soname["name"])
        if library is None:
            return ""
        version = soname["version"]
        known = not version or any(_covers(entry, version) for entry in library.versions)
        return library.package if known else ""
    for table in (target.feature, target.name):
        entry = table.get(wanted.name)
        if entry is not None:
            return entry.package if _new_enough(entry.version, wanted) else ""
    return ""


def _covers(entry: str, version: str) -> bool:
    """``PREFIX_1.2`` means that version, ``PREFIX_1.2..PREFIX_3.4`` all between, both included."""
    if ".." not in entry:
        return entry == version
    low, high = (_PREFIXED.match(side) for side in entry.split("..", 1))
    given = _PREFIXED.match(version)
    if not (low and high and given) or given["prefix"] != low["prefix"]:
        return False
    return _numbers(low["numbers"]) <= _numbers(given["numbers"]) <= _numbers(high["numbers"])


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text))


def _new_enough(there: str, wanted: Requirement) -> bool:
    if not wanted.version:
        return True
    if not there:
        return False
    if wanted.flag in ("GE", "GT", "LE", "EQ"):
        return _numbers(there) >= _numbers(wanted.version)
    return False
