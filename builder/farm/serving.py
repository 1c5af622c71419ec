"""What a worker offers to the network: its compiler, to addresses that may use it."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import TypeAlias

from builder.digest import Digest
from builder.errors import BuilderError
from builder.farm import distcc, greeting
from builder.farm.compiler import JOB_SECONDS
from builder.farm.distcc import DistccCompiler
from builder.farm.greeting import WorkerQuestion
from builder.farm.line import PeerLine, keep_alive
from builder.farm.model import WorkerFailed
from builder.host.serving import served

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

GREET_SECONDS = 5.0
SEND_SECONDS = 30.0
"""That a client has to send a job, and to take its answer."""
_WAITING = 64  # connections that have not greeted yet
_TURN = 0.5  # seconds that a client waits for a slot

Compilers: TypeAlias = Callable[[str], AbstractContextManager[DistccCompiler]]
"""The compiler of one client's session.  Raises BuilderError if it does not start."""


@dataclass(frozen=True)
class WorkerOffer:
    """``compilers``: who does the jobs.  ``image``: of their base.  ``jobs``: at a time, for all
    clients.  ``allowed``: whose jobs are taken."""

    compilers: Compilers
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
            with contextlib.suppress(OSError):  # nobody reads what it says
                self._refused(address)
            return False
        return True

    def process_request(self, request: object, client_address: object) -> None:
        assert isinstance(request, socket.socket)  # noqa: S101 - this server has no others
        if not self._waiting.acquire(blocking=False):
            with contextlib.suppress(OSError):
                request.setblocking(False)
                greeting.say(PeerLine(request, 0.1), greeting.BUSY)
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
    """One connection: a greeting, a job and its answer."""

    server: WorkerServer
    request: socket.socket

    def handle(self) -> None:
        offer = self.server.offer
        line = PeerLine(self.request, GREET_SECONDS)
        wanted: WorkerQuestion | None = None
        with contextlib.suppress(OSError, ValueError):
            keep_alive(self.request)
            wanted = greeting.asked(line)
        with self.server.greeted() as is_free, contextlib.suppress(OSError):
            if wanted is None:
                return
            line.allow(GREET_SECONDS)
            if wanted.image != offer.image:
                greeting.say(line, greeting.OTHER, offer.image)
            elif not is_free:
                greeting.say(line, greeting.BUSY)
            else:
                greeting.say(line, greeting.READY)
                with contextlib.suppress(distcc.BrokenTalk, WorkerFailed, BuilderError):
                    self._do_job(line, f"{self.client_address[0]} {wanted.session}")

    def _do_job(self, line: PeerLine, session: str) -> None:
        """Nothing is started for a client that only asks.

        Raises OSError, BrokenTalk, WorkerFailed, BuilderError.
        """
        line.allow(SEND_SECONDS)
        job = distcc.read_job(line)
        if job is not None:
            with self.server.offer.compilers(session) as compiler:
                answer = compiler.compile(job, JOB_SECONDS)
            line.allow(SEND_SECONDS)
            line.write(answer.data)


@contextmanager
def serving(
    address: tuple[str, int], offer: WorkerOffer, refused: Callable[[str], None]
) -> Iterator[WorkerServer]:
    """A worker's server until the block ends.  Raises OSError if it cannot listen there."""
    with served(WorkerServer(address, offer, refused)) as server:
        yield server
