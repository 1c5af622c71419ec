"""One container's socket: connections, and what they may use of this process.

A connection is one of ccache, which asks for objects, or one of distcc, which wants something
compiled: their first bytes differ.

A container may send whatever it likes, as slowly as it likes, on many connections.  It harms only
itself by that: memory and open files of its connections are bounded, and none of them stays open
when its door is closed.
"""

from __future__ import annotations

import contextlib
import os
import resource
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from builder.farm import distcc
from builder.host.serving import served
from builder.relay import resp
from builder.relay.model import MOST
from builder.relay.room import Crowded, Room, RoomClaim

SOCKET = "socket"
CONNECTIONS = 1024
"""That one container may have open at a time, one for each compiler that runs."""
ROOM = 512 << 20
"""Bytes of objects that one container's connections may have in memory at a time."""
_FILES = 8  # the part of this process's open files that one container may use is one of so many
_SMALL = 4 << 10  # bytes that are not counted
_IDLE = 3600.0  # seconds; a connection is open while an object is compiled
_END = 2.0  # seconds that connections have to end
_PAUSE = 0.1  # seconds without new connections when this process has no open file left
_FOLDER_MODE, _SOCKET_MODE = 0o755, 0o666  # the builds' user is another one

Answer: TypeAlias = Callable[[tuple[bytes, ...], RoomClaim], bytes]
"""From a command's words the answer as it is sent; the bytes of both are claimed."""
Compile: TypeAlias = Callable[[bytes], bytes | None]
"""From a job of distcc the answer as it is sent; None if no worker can do it."""


def _knows_no_objects(words: tuple[bytes, ...], claim: RoomClaim) -> bytes:
    return resp.error("there is no compiler cache")


def _knows_no_workers(job: bytes) -> bytes | None:
    return None


@dataclass
class DoorServices:
    """What is behind a door."""

    answer: Answer = _knows_no_objects
    compile: Compile = _knows_no_workers


class DoorServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """Serves the socket in the new folder ``folder``."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, folder: Path, services: DoorServices) -> None:
        folder.mkdir()
        folder.chmod(_FOLDER_MODE)
        self.services = services
        self.room = Room(ROOM)
        self._most = most_connections()
        self._open: set[socket.socket] = set()
        self._changed = threading.Condition()
        # The path of a socket has at most 107 bytes (unix(7)), that of a folder may have more.
        handle = os.open(folder, os.O_PATH | os.O_DIRECTORY)
        try:
            super().__init__(f"/proc/self/fd/{handle}/{SOCKET}", _Conversation)
        finally:
            os.close(handle)
        (folder / SOCKET).chmod(_SOCKET_MODE)

    def end_connections(self) -> None:
        """End all connections, and wait a little for their threads."""
        self.room.close()
        with self._changed:
            for one in self._open:
                with contextlib.suppress(OSError):  # it has ended by itself
                    one.shutdown(socket.SHUT_RDWR)
            self._changed.wait_for(lambda: not self._open, _END)

    def get_request(self) -> tuple[socket.socket, object]:
        try:
            return super().get_request()
        except OSError:  # without a pause the next attempt follows at once, and all others
            time.sleep(_PAUSE)
            raise

    def process_request(self, request: object, client_address: object) -> None:
        assert isinstance(request, socket.socket)  # noqa: S101 - this server has no others
        with self._changed:
            is_taken = len(self._open) < self._most
            if is_taken:
                self._open.add(request)
        if not is_taken:
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:  # no thread could be started
            self._forget(request)
            raise

    def process_request_thread(self, request: object, client_address: object) -> None:
        try:
            super().process_request_thread(request, client_address)  # type: ignore[arg-type]
        finally:
            self._forget(request)

    def handle_error(self, request: object, client_address: object) -> None:
        """A compiler that is killed in the middle is no news."""

    def _forget(self, request: object) -> None:
        with self._changed:
            self._open.discard(request)
            self._changed.notify_all()


class _Conversation(socketserver.StreamRequestHandler):
    """One connection: commands and answers, until the peer ends it or says something odd."""

    timeout = _IDLE
    server: DoorServer

    def handle(self) -> None:
        exchange = self._do_job if self.request.recv(1, socket.MSG_PEEK) == b"D" else self._exchange
        with self.server.room.claim() as claim:
            stream = _ClaimedStream(self.rfile, claim)
            try:
                while exchange(stream, claim):
                    claim.hold(0)
            except (resp.Malformed, Crowded) as fault:
                self.wfile.write(resp.error(str(fault)))
            except distcc.BrokenTalk:  # it takes an end for a failure, and compiles by itself
                return

    def _do_job(self, stream: _ClaimedStream, claim: RoomClaim) -> bool:
        """One job of distcc; False at the peer's end, and if no worker can do it."""
        job = distcc.read_job(_ClaimedStream(self.rfile, claim, copies=3))
        if job is None:
            return False
        claim.hold(2 * len(job))
        answer = self.server.services.compile(job)
        if answer is None:
            return False
        # Of these there are no more at a time than workers have slots.
        claim.hold(len(answer))
        self.wfile.write(answer)
        return True

    def _exchange(self, stream: _ClaimedStream, claim: RoomClaim) -> bool:
        """One command and its answer, neither of which is kept; False at the peer's end."""
        words = resp.read_command(stream, MOST)
        if words is None:
            return False
        self.wfile.write(self.server.services.answer(words, claim))
        return True


class _ClaimedStream:
    """A connection; the bytes of something large are claimed before they are read.

    ``copies``: how often they are in memory at a time.
    """

    def __init__(self, stream: resp.ByteStream, claim: RoomClaim, copies: int = 1) -> None:
        self._stream = stream
        self._claim = claim
        self._copies = copies

    def read(self, size: int, /) -> bytes:
        """See ``ByteStream``."""
        if size > _SMALL:
            self._claim.hold(self._copies * size)
        return self._stream.read(size)

    def readline(self, size: int, /) -> bytes:
        """See ``ByteStream``."""
        return self._stream.readline(size)


@contextmanager
def open_door(folder: Path, services: DoorServices) -> Iterator[Path]:
    """A socket in the new folder ``folder``, for one container, until the block ends: its path."""
    with DoorServer(folder, services) as server:
        try:
            with served(server):
                yield folder / SOCKET
        finally:
            server.end_connections()


def most_connections() -> int:
    """How many connections one container may have."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return CONNECTIONS if soft == resource.RLIM_INFINITY else min(CONNECTIONS, soft // _FILES)
