"""distccd's side of its protocol, as slots of a compiler, and jobs as distcc sends them."""

from __future__ import annotations

import hashlib
import io
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from ipaddress import ip_network
from pathlib import Path

from builder.console import Console
from builder.digest import of_text
from builder.errors import EnvironmentFailure
from builder.farm import distcc
from builder.farm.exchange import WorkerPatience
from builder.farm.farm import Farm, FarmRules
from builder.farm.line import PeerLine, to_unix
from builder.farm.model import BaseImage, WorkerAddress
from builder.farm.serving import WorkerOffer, WorkerServer, serving
from builder.farm.slots import SOCKET, CompilerSlots

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


@dataclass
class CompilerPeer:
    """Compiles by ``behave``; ``jobs``: that it was given."""

    behave: Behave
    jobs: list[bytes] = field(default_factory=list)
    guard: threading.Lock = field(default_factory=threading.Lock)
    over: threading.Event = field(default_factory=threading.Event)

    def do_jobs(self, path: Path) -> None:
        """As a slot in a container: a connection to the host's socket for each job."""
        while not self.over.is_set():
            with suppress(OSError), to_unix(path, 30) as connection:
                connection.settimeout(None)
                asked = distcc.read_job(PeerLine(connection, 3600))
                if asked is not None:
                    with self.guard:
                        self.jobs.append(asked)
                    connection.sendall(self.behave(asked))
                    continue
            self.over.wait(0.02)


@contextmanager
def slots_at(path: Path, behave: Behave = right, number: int = 4) -> Iterator[CompilerPeer]:
    """Slots that connect to a host's socket until the block ends."""
    peer = CompilerPeer(behave)
    threads = [threading.Thread(target=peer.do_jobs, args=(path,)) for _ in range(number)]
    for thread in threads:
        thread.daemon = True
        thread.start()
    try:
        yield peer
    finally:
        peer.over.set()


@contextmanager
def compiling(
    folder: Path, behave: Behave = right, number: int = 4
) -> Iterator[tuple[CompilerPeer, CompilerSlots]]:
    """A compiler with so many slots, until the block ends: both of its sides."""
    folder.mkdir()
    slots = CompilerSlots(folder, number)
    try:
        with slots_at(folder / SOCKET, behave, number) as peer:
            yield peer, slots
    finally:
        slots.close()


@dataclass
class Site:
    """A machine with workers around it.  ``said``: what its user was told."""

    folder: Path
    stack: ExitStack
    said: io.StringIO = field(default_factory=io.StringIO)
    refused: list[str] = field(default_factory=list)
    sessions: list[str] = field(default_factory=list)
    _made: int = 0

    def compiler(self, behave: Behave, number: int = 4) -> tuple[CompilerPeer, CompilerSlots]:
        self._made += 1
        folder = self.folder / f"c{self._made}"
        return self.stack.enter_context(compiling(folder, behave, number))

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
        jobs_of_all = offered or 2 * jobs
        peer, slots = self.compiler(behave, jobs_of_all)

        def compilers(session: str) -> AbstractContextManager[CompilerSlots]:
            self.sessions.append(session)
            return nullcontext(slots)

        networks = tuple(map(ip_network, allowed))
        offer = WorkerOffer(compilers, image.digest, jobs_of_all, networks)
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
        own: list[CompilerSlots] = []

        def local(image: BaseImage, session: str) -> CompilerSlots:
            assert image == IMAGE
            if here is None:
                raise EnvironmentFailure("the compiler does not start", "no engine", "")
            if not own:
                own.append(self.compiler(here)[1])
            return own[0]

        rules = FarmRules(compared=compared, rest=rest, patience=patience)
        return Farm(addresses(*workers), Console(self.said, interactive=False), local, rules)

    @property
    def warnings(self) -> list[str]:
        return [line for line in self.said.getvalue().splitlines() if "worker" in line]


def addresses(*words: str) -> tuple[WorkerAddress, ...]:
    return tuple(map(WorkerAddress.parse, words))
