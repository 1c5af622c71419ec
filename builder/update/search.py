"""Asks Debian's lists and kernel.org which releases of a source there are."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from builder.digest import Digest
from builder.host.paths import Cache
from builder.source import apt, web
from builder.source.limit import Limit, LocationFailed
from builder.source.model import Bounds, Location, Source
from builder.source.transfer import Partial, Transfer
from builder.update import offer
from builder.update.offer import Found, Offer

if TYPE_CHECKING:
    from builder.console import Console

_MOST = 4 << 20  # bytes of releases.json, which has about 10,000
_BOUNDS = Bounds(attempts=2, total=60.0)


@dataclass(frozen=True)
class Search:
    """``scratch``: a folder of this search's own on the cache's disk.  ``pinned``: all digests."""

    cache: Cache
    console: Console
    scratch: Path
    stop: threading.Event
    pinned: frozenset[Digest]

    def find(self, source: Source) -> Found:
        """The available releases.  A place that fails is not an error; its answer is reported."""
        answers: list[str] = []
        preferred = [one for one in source.locations if one.serves == source.preferred]
        packaged = [
            found
            for location in preferred
            if location.is_packaged
            for found in _asked(lambda one=location: self._packages(one), location.label, answers)  # type: ignore[misc]
        ]
        told: tuple[Offer, ...] = ()
        if source.releases:
            told = _asked(lambda: self._releases(source.releases), source.releases, answers)
        if all(location.is_packaged for location in preferred):
            return Found(tuple(packaged), told, tuple(answers))
        return Found((*packaged, *told), (), tuple(answers))

    def _packages(self, location: Location) -> Iterable[Offer]:
        package = apt.parse(location.url, None)
        limit = Limit(f"lists of {package.name}", _BOUNDS.total, self.stop)
        client = apt.Apt(self.cache.apt, self.cache.locks, self.scratch, self.console, limit)
        return offer.of_package(location, client.revisions(package, renew=True), self.pinned)

    def _releases(self, url: str) -> Iterable[Offer]:
        order = Transfer(
            url=url,
            partial=Partial.of(self.scratch, url),
            max_bytes=_MOST,
            bounds=_BOUNDS,
            label="releases",
            console=self.console,
            limit=Limit(f"releases of {url}", _BOUNDS.total, self.stop),
        )
        web.download(order)
        return offer.of_releases(order.partial.path.read_bytes(), url)


def _asked(ask: Callable[[], Iterable[Offer]], place: str, answers: list[str]) -> tuple[Offer, ...]:
    try:
        return tuple(ask())
    except (LocationFailed, msgspec.DecodeError) as failure:
        answers.append(f"{place}: {failure}")
        return ()
