"""Downloads over FTP with the standard library: passive, binary, resumed with REST."""

from __future__ import annotations

import contextlib
import ftplib
import re
import socket
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, unquote, urlsplit

from builder.source.limit import Limit, LocationFailed
from builder.source.line import HEAD, Line
from builder.source.model import Bounds
from builder.source.transfer import CHUNK, Arrival, Transfer, TryAgain, persist, receive

if TYPE_CHECKING:
    from builder.console import Progress

_PORT = 21
_SIZE = re.compile(r"^213 +(\d{1,15})\s*$", re.ASCII)


class _Server(ftplib.FTP):
    """A server at the other end of ``line``: its replies are counted, whatever they say.

    The standard library bounds a line, but not the number of lines in a reply.
    """

    def __init__(self, line: Line, place: SplitResult, bounds: Bounds) -> None:
        super().__init__(timeout=bounds.stall)
        self._line = line
        line.allow(HEAD)
        self.host = place.hostname or ""
        self.sock = line.connect(self.host, place.port or _PORT, bounds.connect)
        self.sock.settimeout(bounds.stall)
        self.af = self.sock.family
        self.file = self.sock.makefile("r", encoding="utf-8", errors="backslashreplace")
        try:
            self.welcome = self.getresp()
        except BaseException:
            super().close()
            raise

    def getline(self) -> str:
        got = super().getline()
        self._line.spend(len(got) + 2)
        return got

    def open_data(self, command: str, offset: int, seconds: float) -> socket.socket:
        """The connection on which the server sends what ``command`` asks for (RFC 959, 3.2)."""
        host, port = self.makepasv()
        data = self._line.connect(host, port, seconds)
        try:
            if offset:
                self.sendcmd(f"REST {offset}")
            if not self.sendcmd(command).startswith("1"):
                raise ftplib.error_reply(self.lastresp)  # noqa: S321 - an error, no connection
        except BaseException:
            data.close()
            raise
        return data

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.putcmd("QUIT")  # its answer tells nothing
        super().close()


def download(order: Transfer) -> Arrival:
    """Fill the order's partial file from its URL; return when it is whole.

    Returns and raises as ``builder.source.web.download`` does.
    """
    return persist(order, lambda progress: _attempt(order, progress))


def ask(url: str, limit: Limit) -> str:
    """The first line of a server's greeting; raises LocationFailed if there is none."""
    bounds = Bounds(connect=limit.seconds, stall=limit.seconds)
    try:
        with (
            Line(limit.check) as line,
            contextlib.closing(_Server(line, urlsplit(url), bounds)) as it,
        ):
            return (it.getwelcome() or "").splitlines()[0]
    except (ftplib.Error, EOFError, OSError, ValueError, IndexError) as error:
        limit.check()
        raise LocationFailed(f"FTP {error or type(error).__name__}") from error


def _attempt(order: Transfer, progress: Progress) -> tuple[str, ...]:
    try:
        place = urlsplit(order.url)
        with (
            Line(order.check) as line,
            contextlib.closing(_Server(line, place, order.bounds)) as server,
        ):
            server.login(unquote(place.username or ""), unquote(place.password or ""))
            _retrieve(server, place, order, progress)
            return (order.url,)
    except ftplib.error_perm as error:
        raise LocationFailed(f"FTP {error}") from error
    except ValueError as error:  # a line feed in the path, a malformed address or number
        raise LocationFailed(f"FTP: {error}") from error
    except (ftplib.Error, EOFError, OSError) as error:
        raise TryAgain(f"FTP {error or type(error).__name__}") from error


def _retrieve(server: _Server, place: SplitResult, order: Transfer, progress: Progress) -> None:
    path = unquote(place.path)
    server.voidcmd("TYPE I")
    total = _size(server, path)
    validator = f"{total} {_changed(server, path)}"
    origin = order.partial.origin
    offset = order.partial.length if origin and origin.validator == validator else 0
    if offset and offset == total:
        return
    order.partial.remember(validator, total)
    with server.open_data(f"RETR {path}", offset, order.bounds.stall) as connection:
        receive(order, lambda: connection.recv(CHUNK), offset, total, progress)


def _size(server: _Server, path: str) -> int:
    """The file's size in bytes (RFC 3659, 4); nothing else shows whether it is complete."""
    reply = server.sendcmd(f"SIZE {path}")
    found = _SIZE.match(reply)
    if found is None:
        raise LocationFailed(f"FTP {reply} is not a size")
    return int(found[1])


def _changed(server: _Server, path: str) -> str:
    """The time of the last change (RFC 3659, 3.1), empty if the server does not tell."""
    try:
        return server.voidcmd(f"MDTM {path}")
    except ftplib.error_perm:
        return ""
