"""The toolkit's own project files: those of the checkout that it runs from, or of its wheel.

A wheel has them in ``builder/project/`` (pyproject.toml); nothing else tells the two apart.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

COMMAND = "lvs-builder"
"""The command that the wheel installs."""
_PACKED = Path(__file__).resolve().parent / "project"
_TASKS = "tasks"


def is_installed() -> bool:
    """Whether this is an installed wheel rather than a checkout."""
    return _PACKED.is_dir()


def folder() -> Path:
    """Where ``tasks.py``, ``specs/``, ``patches/``, ``dockerfiles/`` and ``docs/`` are."""
    return _PACKED if is_installed() else Path(__file__).resolve().parents[1]


def tasks() -> ModuleType:
    """The module of the tasks, whatever else has that name in the user's folder."""
    spec = importlib.util.spec_from_file_location(_TASKS, folder() / f"{_TASKS}.py")
    if spec is None or spec.loader is None:  # only for a name that is not a module's
        raise ImportError(_TASKS)
    module = importlib.util.module_from_spec(spec)
    sys.modules[_TASKS] = module
    spec.loader.exec_module(module)
    return module
