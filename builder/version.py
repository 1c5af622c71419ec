"""The toolkit's name and version: pyproject.toml's, the only place that has it."""

from __future__ import annotations

import tomllib

from builder import shipped

TOOLKIT = "lvs-fullnat-builder"


def version() -> str:
    """Such as ``0.1.0``; ``unknown`` where there is no pyproject.toml."""
    try:
        text = (shipped.folder() / "pyproject.toml").read_text(encoding="utf-8")
        return str(tomllib.loads(text)["project"]["version"])
    except (OSError, KeyError, tomllib.TOMLDecodeError):
        return "unknown"
