"""Stops a private engine whose users were killed.

Run by flock(1) as ``python -m builder.engine.keeper HOME RUN LOG`` once nobody uses the
engine any more.
"""

from __future__ import annotations

import sys
from pathlib import Path

from builder.engine.private import GATE, PrivateEngine, stop
from builder.host import flock

# Its users were killed, so nobody needs the results of their containers.
PATIENCE = 1.0


def main(home: str, run: str, log: str) -> None:
    """Stop the engine; the gate keeps a builder that ends from doing it at the same time."""
    engine = PrivateEngine(Path(home), Path(run), Path(log))
    with flock.held(engine.home / GATE):
        stop(engine, PATIENCE)


if __name__ == "__main__":
    main(*sys.argv[1:4])
