"""Projects of el6's tests: a stand-in for the base that cannot be had there."""

from __future__ import annotations

import shutil
from pathlib import Path

EL6 = "centos6"
ORIGIN = "debian12"


def stand_in(bases: Path) -> Path:
    """Put a base of Debian packages in the place of centos6: its name, and its need of vsyscall.

    ``bases``: the folder ``dockerfiles`` of a test's project.
    """
    folder = bases / EL6
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(bases / ORIGIN, folder)
    text = (folder / "base.toml").read_text()
    named = text.replace(f'name = "{ORIGIN}"', f'name = "{EL6}"\nvsyscall = true')
    (folder / "base.toml").write_text(named)
    return folder
