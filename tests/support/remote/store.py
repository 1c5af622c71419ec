"""A store over HTTP that keeps files in a folder, as nginx with WebDAV does, and can be spoilt.

PUT is for one user and whole or not at all; GET and HEAD are for everybody.
"""

from __future__ import annotations

import base64
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from builder.host.serving import served
from builder.pipeline.stagename import folder_of

USER = "ci:open-sesame"
_FOLDER_MODE = 0o755


@dataclass
class StoreServer:
    """``root``: what it has.  ``asked``: method and path of each request, in order.

    ``spoil``: is asked before every answer, and may answer itself: then it returns True.
    ``keeps_halves``: a PUT that is cut leaves what has come.
    """

    root: Path
    port: int = 0
    asked: list[tuple[str, str]] = field(default_factory=list)
    spoil: Callable[[Handler], bool] = lambda handler: False
    keeps_halves: bool = False
    scheme: str = "http"
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}/"

    @property
    def files(self) -> list[str]:
        """The paths of all files, in the order of their names."""
        found = (path for path in self.root.rglob("*") if path.is_file())
        return sorted(str(path.relative_to(self.root)) for path in found)

    def find(self, stage: str, suffix: str) -> Path:
        """The one file of a stage that ends so."""
        folder = self.root / "v1" / folder_of(stage)
        (found,) = (path for path in folder.iterdir() if path.name.endswith(suffix))
        return found

    def count(self, method: str) -> int:
        return sum(one == method for one, _ in self.asked)


class Handler(BaseHTTPRequestHandler):
    """Answers one connection."""

    protocol_version = "HTTP/1.1"
    store: StoreServer

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        if self.command != "HEAD":
            self.wfile.write(body)

    def begin(self) -> bool:
        """Note the request; whether it is still to be answered."""
        self.store.asked.append((self.command, self.path))
        return not self.store.spoil(self)

    @property
    def file(self) -> Path:
        return self.store.root / self.path.lstrip("/")

    def do_GET(self) -> None:
        if self.begin():
            if self.file.is_file():
                self.answer(200, self.file.read_bytes())
            else:
                self.answer(404)

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_PUT(self) -> None:
        if not self.begin():
            return
        wanted = base64.b64encode(USER.encode()).decode()
        if self.headers.get("Authorization") != f"Basic {wanted}":
            self.answer(401)
            return
        length = int(self.headers["Content-Length"])
        data = self.rfile.read(length)
        if len(data) < length and not self.store.keeps_halves:
            return
        self.file.parent.mkdir(_FOLDER_MODE, parents=True, exist_ok=True)
        self.file.write_bytes(data)
        self.answer(201)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away in the middle is what some tests are about."""


@contextmanager
def serve(root: Path, tls: ssl.SSLContext | None = None) -> Iterator[StoreServer]:
    """Run it on a port of its own until the block ends, with ``tls`` over https."""
    root.mkdir(parents=True, exist_ok=True)
    store = StoreServer(root, scheme="https" if tls else "http")
    handler = type("StoreHandler", (Handler,), {"store": store})
    server = _Server(("127.0.0.1", 0), handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    store.port = server.server_address[1]
    with served(server, 0.02):
        try:
            yield store
        finally:
            store.over.set()
