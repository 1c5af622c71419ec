"""Unpack archives that are inside an unpacked tree."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from builder.archive.member import listed
from builder.archive.unpack import Limits, Unpacked, unpack
from builder.errors import UsageError, VerificationError

if TYPE_CHECKING:
    from builder.console import Console

_SHOWN = 40  # names in a message


def unpack_inner(
    tree: Path,
    inside: Sequence[str],
    target: Path,
    *,
    source: str,
    console: Console,
    limits: Limits | None = None,
) -> Unpacked:
    """Unpack an archive of ``tree`` into ``target``, a new or empty folder.

    ``inside``: the archive's path in the tree, then optionally the folder in it to unpack;
    without a folder the archive's own top folder is stripped.  ``source`` names the tree in
    messages.

    Raises VerificationError if the tree has no such archive (the message lists what it has), if
    the archive has no such folder, and as ``unpack`` does; UsageError if ``inside`` is malformed.
    """
    if not 1 <= len(inside) <= 2 or any(_leads_out(name) for name in inside):
        raise UsageError(
            f"source {source} cannot be looked into",
            f"inside = {list(inside)} is not an archive and a folder in it",
            "correct `inside` in profile.toml",
        )
    archive = tree / inside[0]
    if archive.is_symlink() or not archive.is_file():
        raise _lacks(tree, inside[0], source)
    folder = inside[1].strip("/") if len(inside) == 2 else ""
    return unpack(archive, target, console=console, limits=limits or Limits(), only=folder)


def _leads_out(name: str) -> bool:
    return not name or name.startswith("/") or ".." in name.split("/")


def _lacks(tree: Path, name: str, source: str) -> VerificationError:
    found = sorted(listed(os.fsencode(path.name)) for path in tree.iterdir())
    more = f", and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return VerificationError(
        f"source {source} has no {name}",
        f"it has: {', '.join(found[:_SHOWN]) or 'nothing'}{more}",
        "it is a different release than the profile is for; get the one that fits",
    )
