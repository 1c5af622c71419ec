"""The entry to this room: light to import, Docker's SDK is loaded by the first connection."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from builder.console import Console
from builder.host.paths import Cache

if TYPE_CHECKING:
    from builder.engine.container import Engine


def connect(cache: Cache, console: Console) -> AbstractContextManager[Engine]:
    """An engine for as long as the block lasts; see ``builder.engine.discovery.discover``."""
    # A run in which nothing changed must not pay for importing the SDK.
    from builder.engine.discovery import discover  # noqa: PLC0415

    return discover(cache, console)


def require() -> None:
    """Raise EnvironmentFailure if ``connect`` would find no engine and could start none.

    Call it before anything slow; it starts nothing.
    """
    from builder.engine.discovery import require_reachable  # noqa: PLC0415

    require_reachable()
