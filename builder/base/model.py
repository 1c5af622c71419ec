"""A base as data: ``dockerfiles/<base>/base.toml`` and its package lists."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

import msgspec

from builder.errors import UsageError

Kind = Literal["build", "guest"]

# Debian Policy 5.6.1: names of packages.
_PACKAGE = re.compile(r"^[a-z0-9][a-z0-9+.-]+(:[a-z0-9]+)?$")


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What base.toml says.  ``epoch``: seconds since 1970, no file of the base is newer."""

    name: str
    method: Literal["mmdebstrap"]
    suite: str
    variant: Literal["essential", "apt", "minbase", "buildd"]
    components: tuple[str, ...]
    epoch: int
    build: tuple[str, ...]
    guest: tuple[str, ...]


class Base(msgspec.Struct, frozen=True):
    """A base with the contents of its package lists, sorted, each package once."""

    settings: Settings
    build_packages: tuple[str, ...]
    guest_packages: tuple[str, ...]

    def packages(self, kind: Kind) -> tuple[str, ...]:
        return self.build_packages if kind == "build" else self.guest_packages


def load_base(folder: Path) -> Base:
    """Read a base.  Raises UsageError with file and line if something is wrong."""
    path = folder / "base.toml"
    try:
        settings = msgspec.toml.decode(path.read_bytes(), type=Settings)
    except (OSError, msgspec.DecodeError) as error:
        raise UsageError(
            f"base {folder.name} cannot be read", f"{path}: {error}", f"correct {path}"
        ) from error
    return Base(
        settings,
        _packages(folder, settings.build),
        _packages(folder, settings.guest),
    )


def _packages(folder: Path, names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted({word for name in names for word in _read_list(folder / name)}))


def _read_list(path: Path) -> list[str]:
    try:
        lines = path.read_text().splitlines()
    except OSError as error:
        raise UsageError(
            f"a package list of base {path.parent.name} cannot be read",
            str(error),
            f"write {path.name}, or take it out of base.toml",
        ) from error
    found = []
    for number, line in enumerate(lines, 1):
        word = line.partition("#")[0].strip()
        if word and not _PACKAGE.match(word):
            raise UsageError(
                f"a package list of base {path.parent.name} is wrong",
                f"{path}:{number}: {word!r} is not a package name",
                "write one package a line; what follows # is a comment",
            )
        if word:
            found.append(word)
    return found
