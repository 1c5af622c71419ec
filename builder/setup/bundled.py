"""pip as Python brings it for new environments (``ensurepip``), run without being installed.

Installing it takes longer than all else, because everything in it is compiled, and the environment
would have more in it than its lock.
"""

from __future__ import annotations

import sysconfig
import zipfile
from importlib import resources
from pathlib import Path

_WHEELS = "pip-*.whl"


def pip() -> Path | None:
    """The wheel of pip, where a distribution or Python itself has it; None if neither does."""
    shared = sysconfig.get_config_var("WHEEL_PKG_DIR")
    folders = [Path(shared)] if shared else []
    try:
        folders.append(Path(str(resources.files("ensurepip"))) / "_bundled")
    except ModuleNotFoundError:  # Debian has it in a package of its own
        return None
    found = (sorted(folder.glob(_WHEELS)) for folder in folders)
    return next((wheels[-1] for wheels in found if wheels), None)


def unpack(wheel: Path, target: Path) -> str:
    """Unpack it below the folder ``target``; returns what Python runs as pip."""
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(target / "wheel")
    return str(target / "wheel" / "pip")
