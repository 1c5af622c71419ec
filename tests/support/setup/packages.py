"""The table of host programs, and where Debian's packages keep them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from builder.host import tools
from builder.host.tools import Tool

TABLE = tools.table()
needs_dpkg = pytest.mark.skipif(shutil.which("dpkg") is None, reason="this host is not Debian")


def paths(tool: Tool) -> list[str]:
    """Where dpkg may know the program: with and without /usr, and what links lead to."""
    if tool.module:
        return []
    # Not one from elsewhere on PATH: the tests' own environment has a python3 too.
    found = shutil.which(tool.name, path=tools.SYSTEM_PATH) or tool.name
    if not Path(found).exists():
        return []
    both = [found, str(Path(found).resolve())]
    return list(dict.fromkeys(both + [one.removeprefix("/usr") for one in both]))
