"""The locks of the Python environments, and what pyproject.toml asks for."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[3]
LOCKS = ROOT / "requirements"
KINDS = ("runtime", "test")
PINNED = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)", re.MULTILINE)


def plain(name: str) -> str:
    """A package's name in the form in which names are compared (PyPA, name normalization)."""
    return re.sub(r"[-_.]+", "-", re.split(r"[\[<>=!~; ]", name)[0]).lower()


def pinned(kind: str) -> dict[str, str]:
    """Versions by name, as a lock has them."""
    return {plain(name): version for name, version in PINNED.findall(text(kind))}


def text(kind: str) -> str:
    return (LOCKS / f"{kind}.txt").read_text()


def asked(kind: str) -> list[str]:
    """What pyproject.toml asks for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted: list[str] = project["dependencies"]
    return wanted + (project["optional-dependencies"]["test"] if kind == "test" else [])
