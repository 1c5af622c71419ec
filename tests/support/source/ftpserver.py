"""A small FTP server that breaks its first transfer, for the fetch tests."""

from __future__ import annotations

import socket
import socketserver
from collections.abc import Iterator
from contextlib import contextmanager

from builder.host.serving import served
from tests.support.source.server import BODY


class _Handler(socketserver.StreamRequestHandler):
    rest = 0
    door: socket.socket | None = None
    log: list[str]
    breaks: int

    def say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())

    def handle(self) -> None:
        self.say("220 ready")
        for raw in self.rfile:
            line = raw.decode().strip()
            self.log.append(line)
            verb, _, argument = line.partition(" ")
            getattr(self, f"do_{verb.lower()}", self.do_unknown)(argument)
            if verb == "QUIT":
                return

    def do_unknown(self, _: str) -> None:
        self.say("502 what?")

    def do_user(self, _: str) -> None:
        self.say("331 password")

    def do_pass(self, _: str) -> None:
        self.say("230 in")

    def do_type(self, _: str) -> None:
        self.say("200 yes")

    def do_quit(self, _: str) -> None:
        self.say("221 bye")

    def do_size(self, name: str) -> None:
        self.say("550 no such file" if "missing" in name else f"213 {len(BODY)}")

    def do_rest(self, argument: str) -> None:
        self.rest = int(argument)
        self.say("350 from there")

    def do_pasv(self, _: str) -> None:
        self.door = socket.create_server(("127.0.0.1", 0))
        high, low = divmod(self.door.getsockname()[1], 256)
        self.say(f"227 (127,0,0,1,{high},{low})")

    def do_retr(self, _: str) -> None:
        assert self.door is not None
        self.say("150 here it comes")
        line, _peer = self.door.accept()
        first = sum(said.startswith("RETR") for said in self.log) == 1
        line.sendall(BODY[self.rest : 400_000 if first else None])
        line.close()
        self.door.close()
        self.say("226 done")


@contextmanager
def serve() -> Iterator[tuple[int, list[str]]]:
    """Run it; gives its port and what clients said."""
    log: list[str] = []
    handler = type("Handler", (_Handler,), {"log": log})
    with served(socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler), 0.02) as server:
        server.daemon_threads = True
        yield server.server_address[1], log
