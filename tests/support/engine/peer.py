"""A peer that speaks Docker's API on a socket of this machine, and runs nothing.

It stands where an engine would, so that a test decides what the engine answers: containers that
print what is asked for, refusals, and connections that break.
"""

from __future__ import annotations

import contextlib
import json
import socketserver
import struct
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from builder.host.serving import served

API = "1.41"
OUT, ERR = 1, 2
_UPGRADED = (
    b"HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\n"
    b"Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
)

Say = Callable[[int, bytes], None]
"""Writes bytes to a container's standard output or error."""


@dataclass
class Container:
    """A container: what it was made with, its folders by their place in it, and its end."""

    config: dict[str, Any]
    program: Callable[[Container, Say], int]
    labels: dict[str, str] = field(default_factory=dict)
    started: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)
    status: int = 0
    killed_for_memory: bool = False

    @property
    def mounts(self) -> dict[str, Path]:
        mounts = self.config["HostConfig"].get("Mounts") or []
        return {mount["Target"]: Path(mount["Source"]) for mount in mounts}

    @property
    def is_terminal(self) -> bool:
        return bool(self.config.get("Tty"))


def succeed(container: Container, say: Say) -> int:
    return 0


Program = Callable[[Container, Say], int]
"""What a container does; returns its exit status."""


@dataclass
class Peer:
    """What the engine has and does.

    ``program``: what each container does, its exit status.  ``refusals``: the status and the
    message for requests by a part of their address.  ``silent``: requests whose connection ends
    without an answer.  ``answers``: what importing and pulling say.  ``imported``: tars by tags.
    """

    path: Path
    program: Program = succeed
    images: set[str] = field(default_factory=set)
    refusals: dict[str, tuple[int, str]] = field(default_factory=dict)
    silent: set[str] = field(default_factory=set)
    answers: list[dict[str, str]] = field(default_factory=list)
    security: tuple[str, ...] = ()
    components: tuple[str, ...] = ("Engine",)
    containers: dict[str, Container] = field(default_factory=dict)
    made: list[Container] = field(default_factory=list)
    imported: dict[str, bytes] = field(default_factory=dict)
    pulled: list[str] = field(default_factory=list)
    resized: list[tuple[str, str]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"unix://{self.path}"

    def leave(self, label: str, name: str) -> str:
        """A container that another process has left behind; its id."""
        identity = f"c{len(self.made)}"
        left = Container({"HostConfig": {}}, self.program, {label: name})
        self.made.append(left)
        self.containers[identity] = left
        return identity


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    peer: Peer

    def log_message(self, *_: object) -> None:
        """Silence."""

    def address_string(self) -> str:
        return "peer"

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        path = unquote(parts.path).removeprefix(f"/v{API}")
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        body = self._body()
        request = f"{self.command} {path}?{parts.query}"
        for piece, (status, message) in self.peer.refusals.items():
            if piece in request:
                self._tell({"message": message}, status)
                return
        if any(piece in request for piece in self.peer.silent):
            self.close_connection = True
            return
        first, _, rest = path.strip("/").partition("/")
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            getattr(self, f"on_{first.strip('_')}")(rest, asked, body)

    do_GET = do_POST = do_DELETE = _serve  # noqa: N815 - names of the base class

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            pieces = []
            while size := int(self.rfile.readline(), 16):
                pieces.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(pieces)
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _tell(self, answer: object = None, status: int = 200) -> None:
        data = b"" if answer is None else json.dumps(answer).encode()
        self._send(data, status)

    def _send(self, data: bytes, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _stream(self, lines: Iterable[bytes]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for line in (*lines, b""):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))

    def on_ping(self, *_: object) -> None:
        self._tell("OK")

    def on_version(self, *_: object) -> None:
        parts = [{"Name": name} for name in self.peer.components]
        self._tell({"ApiVersion": API, "Components": parts})

    def on_info(self, *_: object) -> None:
        self._tell({"SecurityOptions": list(self.peer.security)})

    def on_images(self, rest: str, asked: dict[str, str], body: bytes) -> None:
        peer = self.peer
        if rest == "create":
            if "fromSrc" in asked:
                tag = f"{asked['repo']}:{asked['tag']}"
                peer.imported[tag] = body
                peer.images.add(tag)
            else:
                peer.pulled.append(asked["fromImage"])
            told = peer.answers or [{"status": "done"}]
            self._stream(json.dumps(one).encode() + b"\r\n" for one in told)
            return
        name = rest.removesuffix("/json")
        if name not in peer.images:
            self._tell({"message": f"No such image: {name}"}, 404)
            return
        if self.command == "DELETE":
            peer.images.discard(name)
        self._tell({"Id": name})

    def on_containers(self, rest: str, asked: dict[str, str], body: bytes) -> None:
        peer = self.peer
        if rest == "json":
            wanted = json.loads(asked["filters"])["label"][0]
            self._tell([one for one in self._listed() if _has(one["Labels"], wanted)])
            return
        if rest == "create":
            self._create(json.loads(body))
            return
        identity, _, what = rest.partition("/")
        if identity not in peer.containers:
            self._tell({"message": f"No such container: {identity}"}, 404)
        elif self.command == "DELETE":
            container = peer.containers.pop(identity)
            container.ended.set()
            container.started.set()
            self._tell(None, 204)
        else:
            getattr(self, f"_{what}")(peer.containers[identity], asked)

    def _json(self, container: Container, asked: dict[str, str]) -> None:
        state = {"OOMKilled": container.killed_for_memory}
        self._tell({"Config": {"Tty": container.is_terminal}, "State": state})

    def _start(self, container: Container, asked: dict[str, str]) -> None:
        container.started.set()
        self._tell(None, 204)

    def _resize(self, container: Container, asked: dict[str, str]) -> None:
        self.peer.resized.append((asked["h"], asked["w"]))
        self._tell()

    def _wait(self, container: Container, asked: dict[str, str]) -> None:
        container.ended.wait(10)
        self._tell({"StatusCode": container.status})

    def _listed(self) -> list[dict[str, Any]]:
        return [{"Id": name, "Labels": one.labels} for name, one in self.peer.containers.items()]

    def _create(self, config: dict[str, Any]) -> None:
        peer = self.peer
        if peer.images and config["Image"] not in peer.images:
            self._tell({"message": f"No such image: {config['Image']}"}, 404)
            return
        container = Container(config, peer.program, config.get("Labels") or {})
        identity = f"c{len(peer.made)}"
        peer.made.append(container)
        peer.containers[identity] = container
        self._tell({"Id": identity}, 201)

    def _attach(self, container: Container, asked: dict[str, str]) -> None:
        self.close_connection = True
        self.wfile.write(_UPGRADED)
        container.started.wait(10)

        def say(stream: int, data: bytes) -> None:
            head = b"" if container.is_terminal else struct.pack(">BxxxL", stream, len(data))
            self.wfile.write(head + data)

        try:
            container.status = container.program(container, say)
        finally:
            container.ended.set()


def _has(labels: dict[str, str], wanted: str) -> bool:
    name, equals, value = wanted.partition("=")
    return name in labels and (not equals or labels[name] == value)


@contextmanager
def serve(folder: Path) -> Iterator[Peer]:
    """The peer, on a socket in ``folder``, until the block ends."""
    peer = Peer(folder / "engine.sock")
    handler = type("Handler", (_Handler,), {"peer": peer})
    with served(socketserver.ThreadingUnixStreamServer(str(peer.path), handler), 0.02) as server:
        server.daemon_threads = True
        try:
            yield peer
        finally:
            for container in peer.made:
                container.started.set()
                container.ended.set()
            peer.path.unlink()
