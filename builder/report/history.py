"""What earlier builds were like, and how this one differs: versions, sizes and times.

The cache keeps a line for each of the last builds of a flavour in a base.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from builder.digest import decode, encode
from builder.host.whole import write_whole
from builder.pipeline.stage import OutputFile
from builder.report.origin import RunOrigin

KEPT = 20
"""Builds that are remembered."""
# NAME-VERSION-RELEASE.ARCHITECTURE.rpm
_RPM = re.compile(r"^(.+)-([^-]+-[^-]+)\.([^.]+)\.rpm$")
_TOLD = ("repo/packages/", "repo/source/", "vm/")


class Product(msgspec.Struct, frozen=True):
    """A file that users get.  ``version``: an RPM's, with its release; empty for others."""

    size: int
    version: str = ""


class BuildSummary(msgspec.Struct, frozen=True):
    """A build that passed.  ``products`` by name without version, ``stages``: the seconds of
    those that ran."""

    origin: RunOrigin
    products: dict[str, Product]
    stages: dict[str, float]

    @property
    def size(self) -> int:
        return sum(one.size for one in self.products.values())


class Difference(msgspec.Struct, frozen=True):
    """A difference from the build before: both states in words, empty if it is not there."""

    name: str
    before: str
    now: str


def products(outputs: Iterable[OutputFile]) -> dict[str, Product]:
    """RPMs and the image's files, by names that stay the same in the next version."""
    return dict(sorted(_products(outputs)))


def _products(outputs: Iterable[OutputFile]) -> Iterator[tuple[str, Product]]:
    for one in outputs:
        if not one.path.startswith(_TOLD):
            continue
        folder, _, name = one.path.rpartition("/")
        found = _RPM.match(name)
        if found is None:
            yield one.path, Product(one.size)
        else:
            yield f"{folder}/{found[1]}.{found[3]}", Product(one.size, found[2])


def versions(now: BuildSummary, before: BuildSummary) -> tuple[Difference, ...]:
    """Products that were added, were removed, or have another version."""
    return tuple(
        Difference(name, _version(before.products.get(name)), _version(now.products.get(name)))
        for name in sorted(now.products.keys() | before.products.keys())
        if _version(now.products.get(name)) != _version(before.products.get(name))
    )


def _version(product: Product | None) -> str:
    return "" if product is None else product.version or "present"


class FigureChange(msgspec.Struct, frozen=True):
    """A figure that both builds have, and that differs."""

    name: str
    before: float
    now: float

    @property
    def percent(self) -> str:
        """``+12 %``; empty if the figure was 0 before."""
        return f"{(self.now - self.before) / self.before:+.0%}" if self.before else ""


def sizes(now: BuildSummary, before: BuildSummary) -> tuple[FigureChange, ...]:
    """Products of both builds whose size differs, the largest change first."""
    found = (
        FigureChange(name, before.products[name].size, product.size)
        for name, product in now.products.items()
        if name in before.products and before.products[name].size != product.size
    )
    return tuple(sorted(found, key=lambda one: -abs(one.now - one.before)))


NOTICED = 1.0
"""Seconds, and the tenth part of what it took: a time that differs by less is the same."""


def times(now: BuildSummary, before: BuildSummary) -> tuple[FigureChange, ...]:
    """Stages that ran in both and took noticeably longer or shorter."""
    found = (
        FigureChange(name, before.stages[name], seconds)
        for name, seconds in now.stages.items()
        if name in before.stages
    )
    told = (one for one in found if abs(one.now - one.before) > max(NOTICED, one.before / 10))
    return tuple(sorted(told, key=lambda one: -abs(one.now - one.before)))


def read(path: Path) -> tuple[BuildSummary, ...]:
    """The builds that ``path`` remembers, the last one first; none if it cannot be read."""
    try:
        return decode(path.read_bytes(), tuple[BuildSummary, ...])
    except (OSError, msgspec.DecodeError):
        return ()


def remember(path: Path, made: BuildSummary) -> tuple[BuildSummary, ...]:
    """Put a build in front of those that are remembered; returns all."""
    found = (made, *read(path))[:KEPT]
    write_whole(path, encode(found))
    return found
