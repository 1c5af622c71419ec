"""The connections of one transfer: limited in time and bytes, and ended from outside.

Libraries read from sockets in many places, and each read may wait.  So every connection is made
here, and a watchdog shuts it down when time is up or the run is stopped: whatever waits for the
peer then wakes up, be it for a handshake, an answer's head, a body or its trailer.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from builder.errors import BuilderError
from builder.source.limit import LocationFailed

HEAD = 1 << 16
"""Bytes that a peer may send before a body: status lines, headers, banners, replies."""
SLACK = 1 << 20
"""Bytes that a body may have beside its content (chunk sizes, trailers), and before it."""
_POLL = 0.05  # seconds
_MOST_ADDRESSES = 8  # of one host
_MOST_PORT = 65535

_Address = tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[Any, ...]]  # getaddrinfo


class Line:
    """A context in which connections are made, and after which none of them is open.

    ``check`` raises what is to be raised when time is up or the run is being stopped.
    """

    def __init__(self, check: Callable[[], None]) -> None:
        self.check = check
        self._left = HEAD
        self._guard = threading.Lock()
        self._held: list[socket.socket] = []
        self._over = threading.Event()
        self._watchdog = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._watchdog.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._shut()

    @property
    def left(self) -> int:
        """How many bytes the peer may still send."""
        return self._left

    def allow(self, count: int) -> None:
        """Let the peer send ``count`` bytes from now on."""
        self._left = count

    def spend(self, count: int) -> None:
        """Count bytes that came; raises LocationFailed if they are too many, and as ``check``."""
        self.check()
        self._left -= count
        if self._left <= 0:
            raise LocationFailed("it sends more headers, replies or trailers than are taken")

    def earn(self, count: int) -> None:
        """``count`` bytes of content came, which may have been wrapped in as many again."""
        self._left = min(SLACK, self._left + 2 * count)

    def connect(self, host: str, port: int, seconds: float) -> socket.socket:
        """A connection to one of the host's addresses, each of which has its share of the time.

        Its timeout is ``seconds``.  Raises OSError, and what ``check`` raises.
        """
        if not 0 < port <= _MOST_PORT:
            raise OSError(f"{port} is not a port")
        until = time.monotonic() + seconds
        places = self._resolve(host, port, until)
        failure = OSError(f"{host} has no address")
        for number, place in enumerate(places):
            share = max(_POLL, (until - time.monotonic()) / (len(places) - number))
            try:
                return self._dial(place, share, seconds)
            except OSError as error:
                self.check()
                failure = error
        raise failure

    def _dial(self, place: _Address, share: float, seconds: float) -> socket.socket:
        family, kind, protocol, _, address = place
        made = socket.socket(family, kind, protocol)
        try:
            self._hold(made)
            made.settimeout(share)
            made.connect(address)
            made.settimeout(seconds)
        except BaseException:
            made.close()
            raise
        return made

    def _resolve(self, host: str, port: int, until: float) -> list[_Address]:
        """The host's addresses.  A lookup cannot be ended, so it runs in a thread of its own."""
        found: list[_Address] = []
        failures: list[OSError] = []

        def look_up() -> None:
            try:
                found.extend(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
            except OSError as error:
                failures.append(error)
            except (UnicodeError, ValueError) as error:
                failures.append(OSError(f"{host!r} is not a host's name: {error}"))

        thread = threading.Thread(target=look_up, daemon=True)
        thread.start()
        while True:
            thread.join(_POLL)
            if not thread.is_alive():
                break
            self.check()
            if time.monotonic() > until:
                raise TimeoutError(f"no name server knows the address of {host}")
        if failures:
            raise failures[0]
        return found[:_MOST_ADDRESSES]

    def _hold(self, made: socket.socket) -> None:
        # A second descriptor of the same connection: TLS takes over the first one, and a number
        # that was closed may be another file's by the time the watchdog comes.
        second = made.dup()
        with self._guard:
            self._held.append(second)
        if self._over.is_set():
            self._shut()

    def _shut(self) -> None:
        with self._guard:
            held, self._held = self._held, []
        for one in held:
            with contextlib.suppress(OSError), one:
                one.shutdown(socket.SHUT_RDWR)

    def _watch(self) -> None:
        while not self._over.wait(_POLL):
            try:
                self.check()
            except (BuilderError, LocationFailed):
                self._over.set()
                self._shut()
