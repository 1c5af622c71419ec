"""The differences between a base's packages and the locked ones."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from builder.base.packages import BasePackage

SHOWN = 8
"""How many packages a message names."""


class PackageChange(msgspec.Struct, frozen=True):
    """One package that differs: ``old`` was locked, ``new`` is present; None if it is not there."""

    old: BasePackage | None
    new: BasePackage | None

    @property
    def kind(self) -> str:
        if self.old is None:
            return "added"
        if self.new is None:
            return "missing"
        other = self.old.version != self.new.version
        return "of another version" if other else "of the same version with another digest"

    def __str__(self) -> str:
        old, new = self.old, self.new
        if new is None:
            return f"{old.name} {old.version} (missing)" if old else ""
        if old is None:
            return f"{new.name} {new.version} (added)"
        if old.version != new.version:
            return f"{new.name} {old.version} -> {new.version}"
        digests = f"{old.sha256[:12]} -> {new.sha256[:12]}"
        return f"{new.name} {new.version} (another digest: {digests})"


_KINDS = ("added", "missing", "of another version", "of the same version with another digest")


def compare(
    locked: Iterable[BasePackage], present: Iterable[BasePackage]
) -> tuple[PackageChange, ...]:
    """What differs, by name and architecture.

    A package that a root has in several versions is compared version by version.
    """
    old, new = _by_label(locked), _by_label(present)
    changes: list[PackageChange] = []
    for label in sorted(old.keys() | new.keys()):
        before, now = old.get(label, []), new.get(label, [])
        gone = [one for one in before if one not in now]
        come = [one for one in now if one not in before]
        pairs = min(len(gone), len(come))
        changes += [PackageChange(*pair) for pair in zip(gone, come, strict=False)]
        changes += [PackageChange(one, None) for one in gone[pairs:]]
        changes += [PackageChange(None, one) for one in come[pairs:]]
    return tuple(changes)


def _by_label(packages: Iterable[BasePackage]) -> dict[str, list[BasePackage]]:
    found: dict[str, list[BasePackage]] = {}
    for package in sorted(packages):
        found.setdefault(package.label, []).append(package)
    return found


def count(number: int) -> str:
    """``1 package differs``, ``0 packages differ``."""
    return f"{number} package differs" if number == 1 else f"{number} packages differ"


def kinds(changes: Iterable[PackageChange]) -> str:
    """``1 added, 2 of another version``; empty if nothing differs."""
    found = [change.kind for change in changes]
    return ", ".join(f"{found.count(kind)} {kind}" for kind in _KINDS if kind in found)


def named(changes: tuple[PackageChange, ...]) -> str:
    """The first packages with their old and new versions, and how many more there are."""
    more = f", and {len(changes) - SHOWN} more" if len(changes) > SHOWN else ""
    return ", ".join(map(str, changes[:SHOWN])) + more
