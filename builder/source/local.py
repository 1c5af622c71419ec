"""Sources that are on this machine already: the drop-in folder and ``file:`` locations."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from builder.source.limit import LocationFailed
from builder.source.transfer import CHUNK, Transfer, receive


def locate(url: str, project: Path) -> Path:
    """The path that a ``file:`` URL names; a relative one is below ``project``."""
    return project / unquote(urlsplit(url).path)


def copy(order: Transfer, origin: Path) -> None:
    """Copy ``origin`` to the order's partial file.

    Raises LocationFailed if it is not a readable file, EnvironmentFailure if the disk is full.
    """
    if not origin.is_file():
        raise LocationFailed("no such file")
    try:
        with (
            origin.open("rb") as file,
            order.console.progress(order.label, origin.stat().st_size, "B") as progress,
        ):
            receive(order, lambda: file.read(CHUNK), 0, origin.stat().st_size, progress)
    except PermissionError as error:
        raise LocationFailed(str(error)) from error
