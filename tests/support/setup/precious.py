"""Files of others, which bootstrap must leave alone."""

from __future__ import annotations

from pathlib import Path


def write(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("precious")
    return path
