"""distccd's side of its protocol, at a Unix socket, and jobs as distcc sends them."""

from __future__ import annotations

import hashlib
import io
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from ipaddress import ip_network
from pathlib import Path

from builder.console import Console
from builder.digest import of_text
from builder.errors import EnvironmentFailure
from builder.farm import distcc
from builder.farm.compiler import Compiler
from builder.farm.exchange import WorkerPatience
from builder.farm.farm import Farm, FarmRules
from builder.farm.line import PeerLine
from builder.farm.model import BaseImage, WorkerAddress
from builder.farm.serving import WorkerOffer, WorkerServer, serving
from builder.host.serving import served

IMAGE = BaseImage(of_text("image"), "lvs-builder/debian12:0123")
OTHER = BaseImage(of_text("another image"), "lvs-builder/debian12:4567")
HASTY = WorkerPatience(greet=1.0, job=1.0)
PATIENT = WorkerPatience(greet=30.0, job=30.0)
HERE = ("127.0.0.0/8",)

Behave = Callable[[bytes], bytes]


def token(name: str, data: bytes) -> bytes:
    return f"{name}{len(data):08x}".encode() + data


def job(source: bytes = b"int x;", *words: str) -> bytes:
    """A job in version 2 of the protocol; the source would be compressed."""
    argv = words or ("gcc", "-O2", "-c", "x.c", "-o", "x.o")
    arguments = b"".join(token("ARGV", word.encode()) for word in argv)
    return b"DIST00000002" + f"ARGC{len(argv):08x}".encode() + arguments + token("DOTI", source)


def answer(compiled: bytes, status: int = 0, errors: bytes = b"") -> bytes:
    head = f"DONE00000002STAT{status:08x}".encode()
    return head + token("SERR", errors) + token("SOUT", b"") + token("DOTO", compiled)


def right(asked: bytes) -> bytes:
    """The object depends on the job alone."""
    return answer(b"\x7fELF" + hashlib.sha256(asked).digest())


def wrong(asked: bytes) -> bytes:
    return answer(b"\x7fELF" + hashlib.sha256(asked).digest()[::-1])


def unlike_itself(asked: bytes) -> bytes:
    """As a compiler that puts the time into its objects."""
    return answer(b"\x7fELF%d" % time.monotonic_ns())


def failing(asked: bytes) -> bytes:
    return answer(b"", 256, b"x.c:1: error: no\n")


def half(asked: bytes) -> bytes:
    return right(asked)[:-5]


def garbage(asked: bytes) -> bytes:
    return b"HTTP/1.1 400 Bad Request\r\n\r\n"


def silent(asked: bytes) -> bytes:
    """As a process that was stopped."""
    time.sleep(HASTY.job + 1)
    return b""


class _Job(socketserver.BaseRequestHandler):
    server: CompilerPeer
    request: socket.socket

    def handle(self) -> None:
        asked = distcc.read_job(PeerLine(self.request, 30))
        if asked is not None:
            with self.server.guard:
                self.server.jobs.append(asked)
            self.request.sendall(self.server.behave(asked))


class CompilerPeer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """Compiles by ``behave``; ``jobs``: that it was given."""

    daemon_threads = True

    def __init__(self, path: Path, behave: Behave) -> None:
        self.behave = behave
        self.jobs: list[bytes] = []
        self.guard = threading.Lock()
        super().__init__(str(path), _Job)

    def handle_error(self, request: object, client_address: object) -> None:
        """Nobody waits for its answer any more."""


@contextmanager
def compiling(path: Path, behave: Behave = right) -> Iterator[CompilerPeer]:
    with served(CompilerPeer(path, behave), 0.02) as server:
        yield server


@dataclass
class Site:
    """A machine with workers around it.  ``said``: what its user was told."""

    folder: Path
    stack: ExitStack
    said: io.StringIO = field(default_factory=io.StringIO)
    refused: list[str] = field(default_factory=list)
    _made: int = 0

    def compiler(self, behave: Behave) -> CompilerPeer:
        self._made += 1
        return self.stack.enter_context(compiling(self.folder / f"c{self._made}", behave))

    def worker(
        self,
        behave: Behave = right,
        jobs: int = 2,
        image: BaseImage = IMAGE,
        allowed: tuple[str, ...] = HERE,
        offered: int = 0,
    ) -> tuple[str, CompilerPeer, WorkerServer]:
        """A worker's address with its jobs, its compiler and its server.

        ``offered``: how many it takes altogether; it has more than this machine is told of, so that
        one that is about to end takes no other one's slot.
        """
        peer = self.compiler(behave)
        jobs_of_all = offered or 2 * jobs
        offer = WorkerOffer(
            Path(str(peer.server_address)),
            image.digest,
            jobs_of_all,
            tuple(map(ip_network, allowed)),
        )
        server = self.stack.enter_context(serving(("127.0.0.1", 0), offer, self.refused.append))
        return f"127.0.0.1:{server.server_address[1]}/{jobs}", peer, server

    def farm(
        self,
        *workers: str,
        here: Behave | None = right,
        compared: float = 0.0,
        rest: float = 60.0,
        patience: WorkerPatience = PATIENT,
    ) -> Farm:
        """This machine's farm; ``here``: its own compiler, None if it does not start."""
        own: list[Compiler] = []

        def local(image: BaseImage) -> Compiler:
            assert image == IMAGE
            if here is None:
                raise EnvironmentFailure("the compiler does not start", "no engine", "")
            if not own:
                own.append(compiler_at(Path(str(self.compiler(here).server_address))))
            return own[0]

        rules = FarmRules(compared=compared, rest=rest, patience=patience)
        return Farm(addresses(*workers), Console(self.said, interactive=False), local, rules)

    @property
    def warnings(self) -> list[str]:
        return [line for line in self.said.getvalue().splitlines() if "worker" in line]


def compiler_at(path: Path) -> Compiler:
    return Compiler(path, path.with_suffix(".log"), threading.current_thread(), [])


def addresses(*words: str) -> tuple[WorkerAddress, ...]:
    return tuple(map(WorkerAddress.parse, words))
