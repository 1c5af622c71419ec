"""What a compiler's cache says to the relay, over its socket."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from builder.relay.model import MAGIC

KEY = "2e08ulluvrmrpef8bp24f17hvf3ng3ri4"
OTHER = "374denjs0l3k8il77t2e46jirkpkhoh82"
OBJECT = MAGIC + b"\x01\x00 an object"


@dataclass(frozen=True)
class Client:
    """One connection; words are sent, and what comes is read, byte by byte as on the wire."""

    connection: socket.socket
    stream: BinaryIO

    def ask(self, *words: bytes) -> bytes:
        """The whole answer to a command."""
        sent = b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)
        return self.say(b"*%d\r\n%s" % (len(words), sent))

    def say(self, sent: bytes) -> bytes:
        """The whole answer to bytes; empty if there is none, because the connection has ended."""
        try:
            self.connection.sendall(sent)
            line = self.stream.readline()
        except ConnectionError:
            return b""
        if line.startswith(b"$") and line != b"$-1\r\n":
            return line + self.stream.read(int(line[1:]) + 2)
        return line

    def get(self, key: str) -> bytes:
        return self.ask(b"GET", b"ccache:" + key.encode())

    def put(self, key: str, data: bytes = OBJECT) -> bytes:
        return self.ask(b"SET", b"ccache:" + key.encode(), data)


@contextmanager
def connect(path: Path) -> Iterator[Client]:
    """A connection to a socket, whose path may be a long one."""
    with socket.socket(socket.AF_UNIX) as made:
        made.settimeout(60)
        with _folder(path) as place:
            made.connect(f"{place}/{path.name}")
        with made.makefile("rb") as stream:
            yield Client(made, stream)


@contextmanager
def _folder(path: Path) -> Iterator[str]:
    handle = os.open(path.parent, os.O_PATH)
    try:
        yield f"/proc/self/fd/{handle}"
    finally:
        os.close(handle)
