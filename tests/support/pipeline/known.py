"""What the program has found out of its own modules and specs, kept for all caches of a process.

A stage's key has the digests of its modules.  Reading them takes most of a second, and a cache
keeps what was read; but tests make a new one each.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from builder.console import Console
from builder.host import ownership
from builder.host.paths import Cache
from builder.stages.session import MEMO, SPECS

_kept: dict[str, bytes] = {}


@contextmanager
def knowing(cache: Cache, console: Console) -> Iterator[None]:
    """Give the cache what is known already, and keep what the block has added."""
    with ownership.use(cache, console):
        cache.ledger.mkdir(exist_ok=True)
        for name, data in _kept.items():
            if not (cache.ledger / name).exists():
                (cache.ledger / name).write_bytes(data)
    try:
        yield
    finally:
        for name in (MEMO, SPECS):
            if (cache.ledger / name).exists():
                _kept[name] = (cache.ledger / name).read_bytes()
