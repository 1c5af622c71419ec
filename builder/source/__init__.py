"""Sources: pinned inputs, their locations, and how their bytes get into the cache."""

from builder.source.fetch import fetch, fetch_all, find, open_lock
from builder.source.lock import Pin, SourcesLock
from builder.source.model import Bounds, Fetched, Location, Source
from builder.source.store import verify

__all__ = [
    "Bounds",
    "Fetched",
    "Location",
    "Pin",
    "Source",
    "SourcesLock",
    "fetch",
    "fetch_all",
    "find",
    "open_lock",
    "verify",
]
