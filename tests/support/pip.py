"""pip for tests, as bootstrap runs it: the tests' own environment has none."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from builder.host import temporary
from builder.setup import bundled


@contextmanager
def ready() -> Iterator[tuple[str, str]]:
    """The words that run this Python's pip, until the block ends."""
    wheel = bundled.pip()
    assert wheel is not None, "this Python has no ensurepip"
    with temporary.folder("pip") as folder:
        yield sys.executable, bundled.unpack(wheel, folder)
