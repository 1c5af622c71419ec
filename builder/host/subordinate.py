"""Subordinate user and group ids: what lets an ordinary user make a root file system."""

from __future__ import annotations

import pwd
from pathlib import Path

from builder.errors import EnvironmentFailure

FILES = (Path("/etc/subuid"), Path("/etc/subgid"))
# As useradd gives them (login.defs(5), SUB_UID_COUNT).
COUNT = 65536


def require(user: int, files: tuple[Path, ...] = FILES) -> None:
    """A user must have subordinate ids, or EnvironmentFailure is raised with what gives them.

    ``files``: subuid(5) and subgid(5), whose lines are ``NAME-OR-ID:FIRST:COUNT``.
    """
    try:
        name = pwd.getpwuid(user).pw_name
    except KeyError:
        name = str(user)
    lacking = [path for path in files if not _has(path, {name, str(user)})]
    if lacking:
        first = 100_000 + COUNT * max(user - 1000, 0)
        ids = f"{first}-{first + COUNT - 1}"
        raise EnvironmentFailure(
            f"user {name} cannot make a root file system",
            f"it has no subordinate ids in {' and '.join(map(str, lacking))}",
            f"sudo usermod --add-subuids {ids} --add-subgids {ids} {name}",
        )


def _has(path: Path, names: set[str]) -> bool:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    fields = [line.split(":") for line in lines]
    return any(len(f) == 3 and f[0] in names and f[2].isdigit() and int(f[2]) for f in fields)
