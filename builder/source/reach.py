"""Which servers accept a connection at all, so that a dead network is reported in seconds.

The patience of a download (retries, waits, long timeouts) is for reachable servers.  Unresolved
names or lost packets would use it up at every location in turn.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from builder.host.lock import check
from builder.source import proxy
from builder.source.limit import LocationFailed

_PORTS = {"http": 80, "https": 443, "ftp": 21}
_ALONE = 0.2  # the part of the time that a location has before the others are tried, too
_POLL = 0.05  # seconds


@dataclass(frozen=True)
class _Listener:
    """A server that must accept a connection; ``origin``: where its address is from, in words."""

    host: str
    port: int
    shown: str
    origin: str


@dataclass
class _Try:
    """One attempt to connect, in a thread: nothing else can bound the lookup of a name."""

    server: _Listener
    over: threading.Event = field(default_factory=threading.Event)
    answer: str = ""

    def run(self, seconds: float) -> None:
        try:
            _connect(self.server.host, self.server.port, seconds)
        except TimeoutError:
            self.answer = self.late(seconds)
        except (OSError, UnicodeError) as error:
            self.answer = (
                f"no connection to {self.server.shown}: {_words(error)}{self.server.origin}"
            )
        self.over.set()

    def late(self, seconds: float) -> str:
        """The message for a server that did not answer in time."""
        return f"no connection to {self.server.shown} within {seconds:g} s{self.server.origin}"


class Reach:
    """Tries to connect to the servers of a source's locations, all within ``seconds``.

    ``urls`` in order of preference; those that need no server are left out.
    """

    def __init__(self, urls: Iterable[str], seconds: float, stop: threading.Event) -> None:
        self._seconds = seconds
        self._stop = stop
        found = {url: _server(url) for url in urls if url.partition(":")[0].lower() in _PORTS}
        self._servers = {url: server for url, server in found.items() if server is not None}
        self._tries: dict[tuple[str, int], _Try] = {}
        self._deadline = 0.0

    def demand(self, url: str) -> None:
        """Return once ``url``'s server has accepted a connection.

        Raises LocationFailed with its answer, or saying that there was none in time; Interrupted.
        """
        server = self._servers.get(url)
        if server is None:
            return
        now = time.monotonic()
        self._deadline = self._deadline or now + self._seconds
        attempt = self._begin(server)
        if (
            not self._wait(attempt, min(now + _ALONE * self._seconds, self._deadline))
            or attempt.answer
        ):
            for other in self._servers.values():
                self._begin(other)
        if not self._wait(attempt, self._deadline):
            raise LocationFailed(attempt.late(self._seconds))
        if attempt.answer:
            raise LocationFailed(attempt.answer)
        self._deadline = 0.0  # there is a network: should this one fail later, time begins anew

    def _begin(self, server: _Listener) -> _Try:
        place = (server.host, server.port)
        found = self._tries.get(place)
        if found is None:
            found = self._tries[place] = _Try(server)
            # A daemon: a lookup that hangs must not keep the program from ending.
            thread = threading.Thread(target=found.run, args=(self._seconds,), daemon=True)
            thread.start()
        return found

    def _wait(self, attempt: _Try, until: float) -> bool:
        """Whether the attempt is over by then."""
        while not attempt.over.wait(max(0.0, min(_POLL, until - time.monotonic()))):
            check(self._stop, f"connecting to {attempt.server.shown}")
            if time.monotonic() >= until:
                return False
        return True


def _server(url: str) -> _Listener | None:
    """Where to connect to: the proxy if there is one.

    None if the address or the proxy's is not an address, which the download will report.
    """
    try:
        place = urlsplit(url)
        found = None if place.scheme == "ftp" else proxy.find(url)
        host, port = place.hostname, place.port or _PORTS.get(place.scheme, 80)
    except (ValueError, LocationFailed):  # a bracket too few, or no number that a port can have
        return None
    if found is not None:
        place_shown = f"the proxy {found.host}:{found.port}"
        return _Listener(found.host, found.port, place_shown, f" (from {found.variable})")
    return _Listener(host, port, f"{host}:{port}", "") if host else None


def _connect(host: str, port: int, seconds: float) -> None:
    """Connect to one of a host's addresses, each of which has its share of the time."""
    places = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    for number, (family, kind, protocol, _, address) in enumerate(places, 1):
        with socket.socket(family, kind, protocol) as line:
            line.settimeout(seconds / len(places))
            try:
                line.connect(address)
            except OSError:
                if number == len(places):
                    raise
            else:
                return


def _words(error: OSError | UnicodeError) -> str:
    return getattr(error, "strerror", None) or str(error)
