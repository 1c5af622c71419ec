"""Downloads over FTP with the standard library: passive, binary, resumed with REST."""

from __future__ import annotations

import ftplib
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, unquote, urlsplit

from builder.source.transfer import CHUNK, LocationFailed, Transfer, TryAgain, persist, receive

if TYPE_CHECKING:
    from builder.console import Progress


def download(order: Transfer) -> None:
    """Fill the order's partial file from its URL; return when it is whole.

    Raises as ``builder.source.web.download`` does.
    """
    persist(order, lambda progress: _attempt(order, progress))


def _attempt(order: Transfer, progress: Progress) -> None:
    place = urlsplit(order.url)
    try:
        with ftplib.FTP(timeout=order.bounds.stall) as server:  # noqa: S321 - the digest guards it
            server.connect(place.hostname or "", place.port or 0, timeout=order.bounds.connect)
            server.login(unquote(place.username or ""), unquote(place.password or ""))
            _retrieve(server, place, order, progress)
    except ftplib.error_perm as error:
        raise LocationFailed(f"FTP {error}") from error
    except ValueError as error:  # a line feed in the path
        raise LocationFailed(str(error)) from error
    except (ftplib.Error, EOFError, OSError) as error:
        raise TryAgain(f"FTP {error or type(error).__name__}") from error


def _retrieve(server: ftplib.FTP, place: SplitResult, order: Transfer, progress: Progress) -> None:
    path = unquote(place.path)
    server.voidcmd("TYPE I")
    total = server.size(path)
    validator = f"{total} {_changed(server, path)}"
    offset = order.partial.length if order.partial.validator == validator else 0
    if offset and offset == total:
        return
    order.partial.remember(validator, total)
    connection, _ = server.ntransfercmd(f"RETR {path}", rest=offset or None)
    with connection:
        receive(order, lambda: connection.recv(CHUNK), offset, total, progress)


def _changed(server: ftplib.FTP, path: str) -> str:
    """The time of the last change (RFC 3659, 3.1), empty if the server does not tell."""
    try:
        return server.voidcmd(f"MDTM {path}")
    except ftplib.error_perm:
        return ""
