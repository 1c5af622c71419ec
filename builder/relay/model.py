"""The compiler cache of a team, as it was configured, and what a relay did with it."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field
from typing import Protocol

from builder.remote.model import Password

SCHEMES = ("https", "http", "redis", "rediss")
KEY = re.compile(rb"ccache:([0-9a-v]{20,80})")
"""A key of ccache 4 as its Redis client writes it: a digest in base 32 (RFC 4648, 7)."""
MOST = 16 << 20
"""Bytes of the largest object that is stored or taken."""
MAGIC = b"\xcc\xac"
"""The first bytes of whatever ccache 4 stores (its ``core/CacheEntry.hpp``)."""


@dataclass(frozen=True)
class CompilerCache:
    """``url``: of the store.  ``pushes``: whether this machine's objects are stored there."""

    url: str
    pushes: bool = False
    password: Password | None = None


@dataclass(frozen=True)
class ObjectKey:
    """``scope``: whose object it is.  ``digest``: of what it was compiled from."""

    scope: str
    digest: str


class ObjectStore(Protocol):
    """A store of objects by their keys; may be used by several threads.

    Its methods raise LocationFailed with the store's answer, without secrets, and Interrupted.
    """

    def get(self, key: ObjectKey) -> bytes | None:
        """An object; None if there is none."""

    def put(self, key: ObjectKey, data: bytes) -> None:
        """Store an object."""


@dataclass
class RelayTraffic:
    """What went through one socket: requests for objects that the store had, and had not.

    ``stored``: objects that were handed over to be stored.  ``errors``: requests that could not be
    answered.  ``received``, ``sent``: bytes of objects from the store, and to it.
    """

    found: int = 0
    missing: int = 0
    stored: int = 0
    errors: int = 0
    received: int = 0
    sent: int = 0
    _guard: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def add(self, **counts: int) -> None:
        """Add to counters, by their names."""
        with self._guard:
            for name, count in counts.items():
                setattr(self, name, getattr(self, name) + count)
