"""Outputs that other machines have made: what the pipeline asks of whoever knows about these."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from builder.digest import Digest
from builder.errors import Interrupted
from builder.host.listing import Listing
from builder.pipeline.facts import Facts
from builder.pipeline.provenance import Provenance
from builder.pipeline.stage import OBJECTS, Done


@dataclass(frozen=True)
class Wanted:
    """The output of a stage that would have to run.

    ``output``: the empty folder to fill.  ``scratch``: thrown away afterwards.  ``stop``: is set
    when the run is being stopped.
    """

    stage: str
    key: Digest
    output: Path
    scratch: Path
    stop: threading.Event


@dataclass(frozen=True)
class BroughtOutput:
    """A verified output that fills the folder.  ``listing``: of all that is in it."""

    listing: Listing
    facts: Facts
    provenance: Provenance


class Elsewhere(Protocol):
    """Knows outputs of other machines."""

    @property
    def may_bring(self) -> bool:
        """Whether it may have an output that this machine lacks."""

    def bring(self, wanted: Wanted) -> BroughtOutput | None:
        """Fill the folder; None if there is no such output, and the folder is anyhow then.

        Raises Interrupted, and no other error.
        """

    def offer(self, done: Done) -> None:
        """Let other machines have an output that this machine has made; returns at once."""

    def accepts(self, origins: Collection[str]) -> bool:
        """Whether an output of the cache may be used.  ``origins``: see ``Manifest``."""

    def close(self, *, at_once: bool = False) -> None:
        """Wait until other machines have what was offered; ``at_once``: give that up."""


class Nowhere:
    """No other machine is known; what was brought earlier is used."""

    may_bring = False

    def bring(self, wanted: Wanted) -> None:
        """Nothing is brought."""

    def offer(self, done: Done) -> None:
        """Nobody is offered anything."""

    def accepts(self, origins: Collection[str]) -> bool:
        """Every output may be used."""
        return True

    def close(self, *, at_once: bool = False) -> None:
        """There is nothing to wait for."""


class Here(Nowhere):
    """Nothing counts but what this machine has made, from what it has made itself."""

    def accepts(self, origins: Collection[str]) -> bool:
        """Only outputs that no other machine's stage went into may be used."""
        return not stages_of(origins)


@dataclass(frozen=True)
class OwnObjects:
    """As ``stages``, but without any output that may have objects in it from ``refused``."""

    stages: Elsewhere
    refused: frozenset[str]

    @property
    def may_bring(self) -> bool:
        """See ``Elsewhere``."""
        return self.stages.may_bring

    def bring(self, wanted: Wanted) -> BroughtOutput | None:
        """See ``Elsewhere``."""
        return self.stages.bring(wanted)

    def offer(self, done: Done) -> None:
        """See ``Elsewhere``."""
        self.stages.offer(done)

    def accepts(self, origins: Collection[str]) -> bool:
        """See ``Elsewhere``."""
        return self.refused.isdisjoint(origins) and self.stages.accepts(origins)

    def close(self, *, at_once: bool = False) -> None:
        """See ``Elsewhere``."""
        self.stages.close(at_once=at_once)


NOWHERE = Nowhere()
HERE = Here()
NOT_ACCEPTED = "other machines made its output in the cache, or a part of it"


def stages_of(origins: Collection[str]) -> set[str]:
    """The origins that vouch for other machines' stages."""
    return set(origins) - OBJECTS


class Closed(Protocol):
    """Has work under way that others wait for."""

    def close(self, *, at_once: bool = False) -> None:
        """Wait for its end; ``at_once``: give it up."""


@contextmanager
def open_until_done(find: Callable[[], Closed | None]) -> Iterator[None]:
    """The end of the block waits until other machines have what was offered in it.

    ``find``: what knows that, None if it was not used.  An interrupt gives that up.
    """

    def close(*, at_once: bool) -> None:
        found = find()
        if found is not None:
            found.close(at_once=at_once)

    try:
        yield
    except (KeyboardInterrupt, Interrupted):
        close(at_once=True)
        raise
    except BaseException:
        close(at_once=False)
        raise
    close(at_once=False)
