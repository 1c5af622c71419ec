"""The input and the result of a method of making a base."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from builder.base.model import Base, Kind
from builder.base.packages import BasePackage
from builder.console import Console

if TYPE_CHECKING:
    from builder.engine import Engine


@dataclass(frozen=True)
class Patience:
    """How long to wait for a mirror, in seconds.

    ``stalled``: without data, before the next attempt.  ``total``: until all packages of a root
    are in place.
    """

    stalled: int = 30
    total: int = 7200


@dataclass(frozen=True)
class Order:
    """One root to be made: ``target`` becomes its tar.  ``engine`` connects on first use."""

    base: Base
    kind: Kind
    target: Path
    console: Console
    log: Path
    engine: Callable[[], Engine]
    patience: Patience = Patience()


class Bootstrapped(msgspec.Struct, frozen=True):
    """A finished root: its tar's SHA-256 and size in bytes, its packages, sorted."""

    sha256: str
    size: int
    packages: tuple[BasePackage, ...]
    seconds: float


def measure(order: Order, packages: tuple[BasePackage, ...], began: float) -> Bootstrapped:
    """Describe the finished root and report it; ``began``: by time.monotonic's clock."""
    with order.target.open("rb") as handle:
        digest = hashlib.file_digest(handle, "sha256").hexdigest()
    seconds = time.monotonic() - began
    order.console.say(f"{len(packages)} packages in place after {seconds:.0f} s")
    return Bootstrapped(digest, order.target.stat().st_size, packages, seconds)
