"""A store on this machine for measurements: GET and PUT of files in a folder, on loopback."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from shutil import copyfileobj
from typing import ClassVar

from builder.host.serving import served

_PIECE = 1 << 20


class _Files(BaseHTTPRequestHandler):
    """Serves one connection; a file is there as a whole or not at all."""

    protocol_version = "HTTP/1.1"
    folder: ClassVar[Path]

    def log_message(self, format: str, *_: object) -> None:  # noqa: A002 - the library's name
        """Nobody reads it."""

    def do_GET(self) -> None:
        try:
            with self._path().open("rb") as file:
                self._answer(200, os.fstat(file.fileno()).st_size)
                copyfileobj(file, self.wfile, _PIECE)
        except FileNotFoundError:
            self._answer(404)

    def do_HEAD(self) -> None:
        path = self._path()
        self._answer(200 if path.is_file() else 404, path.stat().st_size if path.is_file() else 0)

    def do_PUT(self) -> None:
        path, left = self._path(), int(self.headers["Content-Length"])
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=self.folder, delete=False) as file:
            while left and (data := self.rfile.read(min(left, _PIECE))):
                file.write(data)
                left -= len(data)
        Path(file.name).rename(path)
        self._answer(201)

    def _path(self) -> Path:
        """The file of the request's path, which is below the folder."""
        found = (self.folder / self.path.lstrip("/")).resolve()
        return found if found.is_relative_to(self.folder) else self.folder / "none"

    def _answer(self, status: int, size: int = 0) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(size))
        self.end_headers()


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """The store's URL until the block ends; ``folder``: with its files, made if missing."""
    folder.mkdir(parents=True, exist_ok=True)
    handler = type("Files", (_Files,), {"folder": folder.resolve()})
    with served(ThreadingHTTPServer(("127.0.0.1", 0), handler)) as server:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
