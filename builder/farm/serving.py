"""What a worker offers to the network: its compiler, to addresses that may use it."""

from __future__ import annotations

import contextlib
import ipaddress
import selectors
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from builder.digest import Digest
from builder.farm import greeting
from builder.farm.compiler import JOB_SECONDS
from builder.farm.line import PeerLine, keep_alive, to_unix
from builder.host.serving import served

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

GREET_SECONDS = 5.0
_WAITING = 64  # connections that have not greeted yet
_PIECE = 256 << 10
_TURN = 0.5  # seconds that a client waits for a slot


@dataclass(frozen=True)
class WorkerOffer:
    """``socket``: of the compiler.  ``image``: of its base.  ``jobs``: at a time, for all clients.
    ``allowed``: whose jobs are taken."""

    socket: Path
    image: Digest
    jobs: int
    allowed: tuple[Network, ...]

    def allows(self, address: str) -> bool:
        """Whether jobs from an address are taken."""
        found = ipaddress.ip_address(address.partition("%")[0])
        mapped = getattr(found, "ipv4_mapped", None)
        return any((mapped or found) in network for network in self.allowed)


class WorkerServer(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """Listens at ``address`` and passes jobs on to the compiler.

    ``refused``: gets an address whose jobs are not taken.
    """

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(
        self, address: tuple[str, int], offer: WorkerOffer, refused: Callable[[str], None]
    ) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.offer = offer
        self.slots = threading.BoundedSemaphore(offer.jobs)
        self._waiting = threading.BoundedSemaphore(_WAITING)
        self._refused = refused
        super().__init__(address, _Client)

    def verify_request(self, request: object, client_address: object) -> bool:
        address = client_address[0] if isinstance(client_address, tuple) else ""
        if not self.offer.allows(address):
            self._refused(address)
            return False
        return True

    def process_request(self, request: object, client_address: object) -> None:
        assert isinstance(request, socket.socket)  # noqa: S101 - this server has no others
        if not self._waiting.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:  # no thread could be started
            self._waiting.release()
            raise

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that breaks off is no news."""

    @contextmanager
    def greeted(self) -> Iterator[bool]:
        """A client has greeted: whether there is a slot for its job, until the block ends."""
        self._waiting.release()
        # The one before may be about to end.
        is_free = self.slots.acquire(timeout=_TURN)
        try:
            yield is_free
        finally:
            if is_free:
                self.slots.release()


class _Client(socketserver.BaseRequestHandler):
    """One connection: a greeting, then whatever distcc and distccd say to each other."""

    server: WorkerServer
    request: socket.socket

    def handle(self) -> None:
        offer = self.server.offer
        line = PeerLine(self.request, GREET_SECONDS)
        wanted: Digest | None = None
        with contextlib.suppress(OSError, ValueError):
            keep_alive(self.request)
            wanted = greeting.asked(line)
        with self.server.greeted() as is_free, contextlib.suppress(OSError):
            if wanted is None:
                return
            if wanted != offer.image:
                greeting.say(line, greeting.OTHER, offer.image)
            elif not is_free:
                greeting.say(line, greeting.BUSY)
            else:
                greeting.say(line, greeting.READY)
                self._pass_on()

    def _pass_on(self) -> None:
        # Nothing is opened for a client that only asks.
        self.request.settimeout(JOB_SECONDS)
        if self.request.recv(1, socket.MSG_PEEK):
            with to_unix(self.server.offer.socket, JOB_SECONDS) as compiler:
                join(self.request, compiler, JOB_SECONDS)


def join(client: socket.socket, compiler: socket.socket, seconds: float) -> None:
    """Pass everything on, both ways, until one side ends, at most for ``seconds``.

    Raises OSError.
    """
    deadline = time.monotonic() + seconds
    with selectors.DefaultSelector() as ready:
        for origin, target in ((client, compiler), (compiler, client)):
            ready.register(origin, selectors.EVENT_READ, (origin, PeerLine(target, seconds)))
        while events := ready.select(max(0.0, deadline - time.monotonic())):
            for key, _ in events:
                origin, target = key.data
                data = origin.recv(_PIECE)
                if not data:
                    return
                target.write(data)


@contextmanager
def serving(
    address: tuple[str, int], offer: WorkerOffer, refused: Callable[[str], None]
) -> Iterator[WorkerServer]:
    """A worker's server until the block ends.  Raises OSError if it cannot listen there."""
    with served(WorkerServer(address, offer, refused)) as server:
        yield server
