"""How long a location may take, and who may end it before that."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from builder.host.lock import check
from builder.source.revision import Revision


class LocationFailed(Exception):
    """This location cannot serve the file; the next one may.  Its text is the answer it gave."""


class ContentRefused(LocationFailed):
    """The location served something, but not what its name and the profile promise."""


class RevisionGone(LocationFailed):
    """A package has neither the wanted revision nor the pinned content in a revision ``served``."""

    def __init__(
        self, package: str, version: str | None, served: Sequence[Revision], more: str = ""
    ) -> None:
        lack = (
            f"revision {version} of {package} is gone"
            if version
            else f"no revision of {package} has the pinned content"
        )
        self.newest = served[0].version if served else ""
        super().__init__(f"{lack}, the newest is {self.newest}{more}")


@dataclass(frozen=True)
class Limit:
    """``seconds`` from now on for ``what``, unless ``stop`` is set before."""

    what: str
    seconds: float
    stop: threading.Event
    deadline: float = field(init=False)  # on time.monotonic's clock

    def __post_init__(self) -> None:
        object.__setattr__(self, "deadline", time.monotonic() + self.seconds)

    def check(self) -> None:
        """Raise LocationFailed if time is up, Interrupted if the run is being stopped."""
        check(self.stop, self.what)
        if time.monotonic() > self.deadline:
            raise LocationFailed(f"not whole after {self.seconds:g} s")

    def wait(self, seconds: float) -> None:
        """Let time pass; raises as ``check``."""
        self.stop.wait(seconds)
        self.check()
