"""Where scenarios and topologies are, and their names; the files are not read."""

from __future__ import annotations

from pathlib import Path

from builder import names

SCENARIOS = Path(__file__).parents[1] / "scenarios"
TOPOLOGIES = Path(__file__).parents[1] / "topologies"
METHODS = Path(__file__).parents[1] / "load"
"""Where ``methods.toml`` is: what is driven under load."""


def available(folder: Path = SCENARIOS) -> tuple[str, ...]:
    """Names of the scenarios (or topologies) in a folder, sorted."""
    return tuple(sorted(filter(names.is_name, (path.stem for path in folder.glob("*.toml")))))
