"""Requests on a ``Line``, which makes every connection and counts every byte of an answer.

The standard library limits the length and the number of header lines.  It does not limit the time
that they take, ``100 Continue`` answers before them, a proxy's headers, or a chunked body's
trailer.
"""

from __future__ import annotations

import http.client
import io
import socket
from typing import Any

import requests
import requests.adapters
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from builder.source.line import HEAD, SLACK, Line


class HttpSession(requests.Session):
    """A session of one transfer, with the host's proxies and certificates.

    It follows no redirect: Requests would read the body of each.
    """

    def __init__(self, line: Line) -> None:
        super().__init__()
        self.headers.update({"Accept-Encoding": "identity", "User-Agent": "lvs-builder"})
        for scheme in ("http://", "https://"):
            self.mount(scheme, _Adapter(line))

    def get_redirect_target(self, resp: requests.Response) -> None:
        """None, even if there is one."""


class _Adapter(requests.adapters.HTTPAdapter):
    def __init__(self, line: Line) -> None:
        self._pools = _pools(line)
        super().__init__(max_retries=0)

    def init_poolmanager(self, *words: Any, **options: Any) -> None:
        super().init_poolmanager(*words, **options)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        if proxy.lower().startswith("socks"):
            raise requests.exceptions.InvalidSchema("proxies of kind SOCKS are not supported")
        manager = super().proxy_manager_for(proxy, **options)
        manager.pool_classes_by_scheme = self._pools
        return manager


class _Metered(io.RawIOBase):
    """Counts the bytes that a peer sends, and refuses too many."""

    def __init__(self, raw: io.RawIOBase, line: Line) -> None:
        self._raw = raw
        self._line = line

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        room = memoryview(buffer)[: max(1, self._line.left)]
        self._line.check()
        count = self._raw.readinto(room)
        self._line.spend(count or 0)
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


def _pools(line: Line) -> dict[str, Any]:
    """urllib3's connection pools, made to use ``line``."""

    class Answer(http.client.HTTPResponse):
        def __init__(self, *words: Any, **options: Any) -> None:
            super().__init__(*words, **options)
            line.allow(HEAD)
            self.fp = io.BufferedReader(_Metered(self.fp.detach(), line))

        def begin(self) -> None:
            super().begin()
            line.allow(SLACK)

    def connect(connection: HTTPConnection) -> socket.socket:
        seconds = connection.timeout
        limit = float(seconds) if isinstance(seconds, (int, float)) else 60.0
        try:
            return line.connect(connection._dns_host, connection.port, limit)
        except TimeoutError as error:
            raise ConnectTimeoutError(connection, str(error)) from error
        except OSError as error:
            raise NewConnectionError(connection, str(error)) from error

    class Plain(HTTPConnection):
        response_class = Answer

        def _new_conn(self) -> socket.socket:
            return connect(self)

    class Secure(HTTPSConnection):
        response_class = Answer

        def _new_conn(self) -> socket.socket:
            return connect(self)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}
