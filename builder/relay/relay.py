"""Between a run's containers and the store: it holds address and password, they have a socket.

A container has no network.  The folder with the socket is mounted into it, and ccache speaks the
protocol of Redis there.  Whatever else it says is refused: a container can get and store ccache's
objects of its own component by their keys, and nothing else.

Whatever the store does, the build goes on: a store that does not answer as it should is not asked
again in the run.
"""

from __future__ import annotations

import os
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from builder.console import Console
from builder.errors import Interrupted
from builder.relay import resp
from builder.relay.model import KEY, MOST, CompilerCache, ObjectKey, RelayTraffic
from builder.relay.stores import PATIENCE, open_store
from builder.relay.uploads import Uploads
from builder.remote.exchange import StorePatience
from builder.shown import without_secrets
from builder.source.limit import ContentRefused, LocationFailed

SOCKET = "socket"
CONNECTIONS = 1024
"""That one container may have open at a time, one for each compiler that runs."""
_IDLE = 3600.0  # seconds; a connection is open while an object is compiled
_FOLDER_MODE, _SOCKET_MODE = 0o755, 0o666  # the builds' user is another one


class Relay:
    """One run's access to the store.  ``close`` must be called at its end."""

    def __init__(
        self, cache: CompilerCache, console: Console, patience: StorePatience = PATIENCE
    ) -> None:
        self._cache = cache
        self._console = console
        self._stop = threading.Event()
        self._lost = threading.Event()
        self._guard = threading.Lock()
        self._store = open_store(cache, self._stop, patience)
        self._uploads = Uploads(self._store, self._tell_unstored)

    @contextmanager
    def door(self, folder: Path, scope: str) -> Iterator[tuple[Path, RelayTraffic]]:
        """A socket in the new folder ``folder``, for one container, until the block ends.

        ``scope``: whose objects these are; a container reaches no others.  Yields the socket's
        path, and what goes through it.
        """
        folder.mkdir()
        folder.chmod(_FOLDER_MODE)
        traffic = RelayTraffic()
        with _RelayServer(folder, self, scope, traffic) as server:
            thread = threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True)
            thread.start()
            try:
                yield folder / SOCKET, traffic
            finally:
                server.shutdown()
                thread.join()

    def answer(self, words: tuple[bytes, ...], scope: str, traffic: RelayTraffic) -> bytes:
        """The answer to a command, as it is sent."""
        name, key = words[0].upper(), KEY.fullmatch(words[1]) if len(words) > 1 else None
        if key is None:
            return resp.error("only objects of ccache are known here")
        if name == b"GET" and len(words) == 2:
            return resp.bulk(self._get(ObjectKey(scope, key[1].decode()), traffic))
        if name == b"SET" and len(words) == 3:
            if self._cache.pushes and not self._lost.is_set():
                self._uploads.add(ObjectKey(scope, key[1].decode()), words[2], traffic)
            return resp.OK
        if name in (b"EXISTS", b"DEL") and len(words) == 2:
            return resp.number(0)  # nothing is removed for a container
        return resp.error("only GET and SET are known here")

    def close(self, *, at_once: bool = False) -> None:
        """Wait until all objects are stored; ``at_once``: give that up."""
        if at_once:
            self._uploads.give_up()
            self._stop.set()
            return
        try:
            self._uploads.close()
        except KeyboardInterrupt:
            self._stop.set()
            raise

    def _get(self, key: ObjectKey, traffic: RelayTraffic) -> bytes | None:
        if self._lost.is_set():
            return None
        try:
            found = self._store.get(key)
        except Interrupted:
            return None
        except LocationFailed as failure:
            traffic.add(errors=1)
            if not isinstance(failure, ContentRefused):  # of one object alone
                self._lose(failure)
            return None
        if found is None:
            traffic.add(missing=1)
        else:
            traffic.add(found=1, received=len(found))
        return found

    def _lose(self, failure: LocationFailed) -> None:
        with self._guard:
            said = self._lost.is_set()
            self._lost.set()
        if not said:
            self._uploads.give_up()
            shown = without_secrets(self._cache.url)
            self._console.warn(
                f"the compiler cache {shown} is not used in this run: {failure}; "
                "everything is compiled here"
            )

    def _tell_unstored(self, failure: LocationFailed) -> None:
        shown = without_secrets(self._cache.url)
        self._console.warn(f"nothing more is stored in the compiler cache {shown}: {failure}")


class _RelayServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """Serves the socket in a folder."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, folder: Path, relay: Relay, scope: str, traffic: RelayTraffic) -> None:
        self.relay = relay
        self.scope = scope
        self.traffic = traffic
        self._free = threading.BoundedSemaphore(CONNECTIONS)
        # The path of a socket has at most 107 bytes (unix(7)), that of a folder may have more.
        handle = os.open(folder, os.O_PATH | os.O_DIRECTORY)
        try:
            super().__init__(f"/proc/self/fd/{handle}/{SOCKET}", _RelayConversation)
        finally:
            os.close(handle)
        (folder / SOCKET).chmod(_SOCKET_MODE)

    def process_request(self, request: object, client_address: object) -> None:
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)  # type: ignore[arg-type]
        else:
            self.shutdown_request(request)  # type: ignore[arg-type]

    def process_request_thread(self, request: object, client_address: object) -> None:
        try:
            super().process_request_thread(request, client_address)  # type: ignore[arg-type]
        finally:
            self._free.release()

    def handle_error(self, request: object, client_address: object) -> None:
        """A compiler that is killed in the middle is no news."""


class _RelayConversation(socketserver.StreamRequestHandler):
    """One connection: commands and answers, until the peer ends it or says something odd."""

    timeout = _IDLE
    server: _RelayServer

    def handle(self) -> None:
        while True:
            try:
                words = resp.read_command(self.rfile, MOST)
            except resp.Malformed as fault:
                self.wfile.write(resp.error(str(fault)))
                return
            if words is None:
                return
            self.wfile.write(
                self.server.relay.answer(words, self.server.scope, self.server.traffic)
            )
