"""Peers that lie: each conversation is a function that is given the raw connection."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Conversation = Callable[[socket.socket], None]

DRIP = 0.02  # seconds


@contextmanager
def listen(converse: Conversation) -> Iterator[int]:
    """Talk like this to every client until the block ends; gives the port."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as door:
        open_lines: list[socket.socket] = []

        def talk(line: socket.socket) -> None:
            with contextlib.suppress(OSError), line:
                converse(line)

        def accept() -> None:
            while not over.is_set():
                try:
                    line, _ = door.accept()
                except OSError:
                    return
                open_lines.append(line)
                threading.Thread(target=talk, args=(line,), daemon=True).start()

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield door.getsockname()[1]
        finally:
            over.set()
            for line in (*open_lines, door):
                with contextlib.suppress(OSError):
                    line.shutdown(socket.SHUT_RDWR)
            thread.join(5)


def after_request(*parts: bytes, then: bytes = b"", every: float = 0.0) -> Conversation:
    """Read a request, send ``parts``, and then ``then`` again and again (or nothing at all)."""

    def converse(line: socket.socket) -> None:
        hear(line)
        for part in parts:
            line.sendall(part)
        go_on(line, then, every)

    return converse


def at_once(*parts: bytes, then: bytes = b"", every: float = 0.0) -> Conversation:
    """The same without waiting for a request."""

    def converse(line: socket.socket) -> None:
        for part in parts:
            line.sendall(part)
        go_on(line, then, every)

    return converse


def answering(head: bytes, body: bytes = b"") -> Conversation:
    """Send one answer, and close."""

    def converse(line: socket.socket) -> None:
        hear(line)
        line.sendall(head + body)

    return converse


def go_on(line: socket.socket, words: bytes, every: float) -> None:
    """Send ``words`` for ever, with a pause after each; if there are none, hear and be silent."""
    while not words:
        if not line.recv(4096):
            return
    while True:
        line.sendall(words)
        if every:
            time.sleep(every)


def hear(line: socket.socket) -> bytes:
    """A request's head; nothing if the client goes without one, as ``Reach`` does."""
    heard = b""
    while b"\r\n\r\n" not in heard:
        more = line.recv(4096)
        if not more:
            return b""
        heard += more
    return heard


def ftp(*dialogue: tuple[bytes, bytes], then: bytes = b"", every: float = 0.0) -> Conversation:
    """Greet, answer each command as the dialogue says (its verb first), then go on as told."""
    answers = dict(dialogue)

    def converse(line: socket.socket) -> None:
        line.sendall(answers.get(b"", b"220 ready\r\n"))
        with line.makefile("rb") as heard:
            for command in heard:
                verb = command.split()[0].upper()
                if verb not in answers:
                    break
                line.sendall(answers[verb])
        go_on(line, then, every)

    return converse
