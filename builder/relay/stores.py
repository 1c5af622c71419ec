"""The stores that a relay may ask: a web server, and Redis."""

from __future__ import annotations

import io
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from builder.relay import resp
from builder.relay.model import MAGIC, MOST, CompilerCache, ObjectKey, ObjectStore
from builder.remote.exchange import StoreExchange, StorePatience
from builder.remote.model import HttpStore, Password
from builder.shown import answer
from builder.source import authorities
from builder.source.limit import ContentRefused, Limit, LocationFailed
from builder.source.line import Line

PATIENCE = StorePatience(connect=2.0, stall=3.0, answer=5.0, attempts=1)
"""An object is compiled in the time that a slow store would take for it."""
_WHAT = "the compiler cache"
_PORT = 6379
_FIRST = 2  # characters of a digest that are a folder's name


def open_store(cache: CompilerCache, stop: threading.Event, patience: StorePatience) -> ObjectStore:
    """The store of a configuration; ``stop`` ends its requests."""
    if urlsplit(cache.url).scheme in ("redis", "rediss"):
        return RedisStore(cache.url, cache.password, patience, stop)
    url = cache.url if cache.url.endswith("/") else f"{cache.url}/"
    return WebStore(StoreExchange(HttpStore(_WHAT, url, cache.password), patience, stop))


class WebStore:
    """A web server with a folder for each scope.

    It is laid out as ccache's own HTTP client does by default (``layout=subdirs``).
    """

    def __init__(self, exchange: StoreExchange) -> None:
        self._exchange = exchange

    def get(self, key: ObjectKey) -> bytes | None:
        """See ``ObjectStore``."""
        data = self._exchange.read(_path(key), MOST)
        return None if data is None else _object(data)

    def put(self, key: ObjectKey, data: bytes) -> None:
        """See ``ObjectStore``."""
        self._exchange.put(_path(key), io.BytesIO(data), len(data))


class RedisStore:
    """A Redis server, with a connection for each request.

    The URL's path is the number of the database, as in ``redis://HOST:6379/0``.
    """

    def __init__(
        self, url: str, password: Password | None, patience: StorePatience, stop: threading.Event
    ) -> None:
        self._parts = urlsplit(url)
        self._password = password
        self._patience = patience
        self._stop = stop

    def get(self, key: ObjectKey) -> bytes | None:
        """See ``ObjectStore``."""
        data = self._ask(b"GET", _name(key))
        return None if data is None else _object(data)

    def put(self, key: ObjectKey, data: bytes) -> None:
        """See ``ObjectStore``."""
        self._ask(b"SET", _name(key), data)

    def _ask(self, *words: bytes) -> bytes | None:
        limit = Limit(_WHAT, self._patience.answer, self._stop)
        commands = (*self._greeting(), words)
        try:
            with Line(limit.check) as line, self._connect(line) as made:
                made.sendall(b"".join(resp.command(*one) for one in commands))
                with made.makefile("rb") as stream:
                    return [resp.read_answer(stream, MOST) for _ in commands][-1]
        except (OSError, resp.Malformed, resp.Refused) as error:
            limit.check()  # a connection that was shut down for that is not an answer
            secrets = self._password.secrets if self._password else ()
            raise LocationFailed(answer(str(error), secrets)) from error

    def _greeting(self) -> Iterator[tuple[bytes, ...]]:
        """What comes before the first request of a connection."""
        if self._password is not None:
            user, colon, word = self._password.text.partition(":")
            yield (b"AUTH", *(one.encode() for one in ((user, word) if colon else (user,))))
        database = self._parts.path.strip("/")
        if database:
            yield (b"SELECT", database.encode())

    def _connect(self, line: Line) -> socket.socket:
        host, port = self._parts.hostname or "", self._parts.port or _PORT
        made = line.connect(host, port, self._patience.connect)
        made.settimeout(self._patience.stall)
        if self._parts.scheme == "rediss":
            return _context().wrap_socket(made, server_hostname=host)
        return made


def _context() -> ssl.SSLContext:
    """What verifies a server's certificate, by the same authorities as for downloads."""
    path = authorities.find().path
    if path is None:
        return ssl.create_default_context()
    is_folder = Path(path).is_dir()
    return ssl.create_default_context(
        cafile=None if is_folder else path, capath=path if is_folder else None
    )


def _path(key: ObjectKey) -> str:
    return f"{key.scope}/{key.digest[:_FIRST]}/{key.digest[_FIRST:]}"


def _name(key: ObjectKey) -> bytes:
    return f"ccache:{key.scope}:{key.digest}".encode()


def _object(data: bytes) -> bytes:
    """``data``; ContentRefused if ccache did not store it.  ccache itself verifies its checksum."""
    if not data.startswith(MAGIC):
        raise ContentRefused("what it has is not an object of ccache")
    return data
