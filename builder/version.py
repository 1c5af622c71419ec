"""The toolkit's name and version: pyproject.toml's, the only place that has it."""

from __future__ import annotations

import tomllib
from pathlib import Path

TOOLKIT = "lvs-fullnat-builder"


def version() -> str:
    """Such as ``0.1.0``; ``unknown`` where pyproject.toml is not beside the package."""
    try:
        text = (Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8")
        return str(tomllib.loads(text)["project"]["version"])
    except (OSError, KeyError, tomllib.TOMLDecodeError):
        return "unknown"
