"""Sources: pinned inputs, their locations, and how their bytes get into the cache."""

from builder.source.fetch import fetch, open_lock
from builder.source.known import find
from builder.source.model import Bounds, Fetched, Location, Source
from builder.source.pins import Pin, SourcesLock

__all__ = [
    "Bounds",
    "Fetched",
    "Location",
    "Pin",
    "Source",
    "SourcesLock",
    "fetch",
    "find",
    "open_lock",
]
