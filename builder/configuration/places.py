"""Where the user's configuration is, and who may write and read its files.

platformdirs knows the places: ``$XDG_CONFIG_HOME`` (``~/.config``) for a user and
``$XDG_CONFIG_DIRS`` (``/etc/xdg``) for a machine (XDG Base Directory Specification 0.8).
"""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Mapping
from pathlib import Path

import platformdirs

from builder.errors import UsageError
from builder.host.paths import APPLICATION

FILE = "config.toml"
VARIABLE = "LVS_BUILDER_CONFIG"
"""Names a file that is read instead of all others."""


def files(environment: Mapping[str, str]) -> tuple[Path, ...]:
    """The files that are read, the weakest first."""
    named = environment.get(VARIABLE)
    if named:
        return (Path(named).absolute(),)
    machine = platformdirs.site_config_path(APPLICATION, appauthor=False)
    user = platformdirs.user_config_path(APPLICATION, appauthor=False)
    return (machine / FILE, user / FILE)


def require_unwritable(path: Path) -> None:
    """Raise UsageError if another user decides what is in a file.

    The rule is that of ssh_config(5): it belongs to root or the caller, and nobody else may write.
    """
    found = path.stat()
    if found.st_uid not in (0, os.geteuid()):
        cause = f"it belongs to the user number {found.st_uid}"
        raise _refuse(path, cause, f"sudo chown {os.geteuid()} {shlex.quote(str(path))}")
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        cause = f"others may write to it: its mode is {stat.S_IMODE(found.st_mode):04o}"
        raise _refuse(path, cause, f"chmod go-w {shlex.quote(str(path))}")


def require_secret(path: Path) -> None:
    """Raise UsageError if a file with a secret is missing, or another user may read it."""
    try:
        found = path.stat()
    except OSError as error:
        raise _refuse(path, str(error.strerror), "correct its path, or make it") from error
    if not stat.S_ISREG(found.st_mode):
        raise _refuse(path, "it is not a regular file", "correct its path")
    require_unwritable(path)
    if found.st_mode & (stat.S_IRGRP | stat.S_IROTH):
        cause = f"others may read it: its mode is {stat.S_IMODE(found.st_mode):04o}"
        raise _refuse(path, cause, f"chmod 600 {shlex.quote(str(path))}")


def _refuse(path: Path, cause: str, hint: str) -> UsageError:
    return UsageError(f"{path} cannot be used", cause, hint)
