"""Workers as they were configured, and what they did for one build."""

from __future__ import annotations

import re
import secrets
import threading
from dataclasses import dataclass, field

from builder.digest import Digest

PORT = 3633
"""The port of a worker, the one after distccd's own."""
MOST_SLOTS = 256
_FORM = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::([0-9]{1,5}))?/([0-9]{1,3})")
EXAMPLE = "build2.example.org/8"
FORM = f"HOST/JOBS or HOST:PORT/JOBS, such as {EXAMPLE}"


@dataclass(frozen=True)
class WorkerAddress:
    """Where a worker listens, and how many jobs it gets from this machine at a time."""

    host: str
    port: int
    slots: int

    @classmethod
    def parse(cls, word: str) -> WorkerAddress:
        """The worker that ``word`` names (see ``FORM``).  Raises ValueError."""
        found = _FORM.fullmatch(word)
        if not found:
            raise ValueError(f"it is not {FORM}")
        made = cls(found[1] or found[2], int(found[3] or PORT), int(found[4]))
        if not 1 <= made.port <= 0xFFFF:
            raise ValueError("its port is not from 1 to 65535")
        if not 1 <= made.slots <= MOST_SLOTS:
            raise ValueError(f"its jobs are not from 1 to {MOST_SLOTS}")
        return made

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORT else f"{host}:{self.port}"


@dataclass(frozen=True)
class BaseImage:
    """The image in which a build runs.  ``digest``: of its root's tar, the same on every machine
    with the same packages.  ``tag``: its name in this machine's engine."""

    digest: Digest
    tag: str


class WorkerFailed(Exception):
    """A worker cannot do a job; the message says why, without the worker's name."""


class WorkerBusy(WorkerFailed):
    """It works for others and has no slot left: no fault of its own."""


@dataclass
class WorkerUse:
    """What one worker did for one build.

    ``jobs``: compiled there.  ``failed``: that had to be done again elsewhere.  ``compared``: with
    the same job done here.  ``sent``, ``received``: bytes of sources and objects.
    """

    jobs: int = 0
    failed: int = 0
    compared: int = 0
    sent: int = 0
    received: int = 0


@dataclass
class FarmUse:
    """What all workers did for one build, by their names; several threads add to it.

    ``is_spoilt``: one of them was found to return wrong objects, so that none of this build's can
    be used.  ``session``: what workers know it by; no other build has jobs done by its compilers.
    """

    session: str = field(default_factory=lambda: secrets.token_hex(16))
    workers: dict[str, WorkerUse] = field(default_factory=dict)
    is_spoilt: bool = False
    _guard: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def add(self, worker: str, **counts: int) -> None:
        """Add to a worker's counters, by their names."""
        with self._guard:
            use = self.workers.setdefault(worker, WorkerUse())
            for name, count in counts.items():
                setattr(use, name, getattr(use, name) + count)

    def spoil(self, worker: str) -> None:
        """Note that a worker's objects are wrong, if this build has any."""
        with self._guard:
            self.is_spoilt |= worker in self.workers
