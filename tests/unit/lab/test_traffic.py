"""The lab's client says of an answer what is true: the servers here are made by hand."""

from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import Callable

import pytest

from builder.lab.hosts.network import GUEST

Answer = Callable[[bytes], bytes]


def body(label: str, size: int) -> bytes:
    lines = "".join(f"{label} {number:06}\n" for number in range(1, 999))
    return lines.encode()[:size]


def ask(answer: Answer, send: int, receive: int) -> tuple[str, bytes]:
    """What the client says of one datagram's answer, and the datagram."""
    got: list[bytes] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(20)

        def serve() -> None:
            request, peer = server.recvfrom(65536)
            got.append(request)
            server.sendto(answer(request), peer)

        thread = threading.Thread(target=serve)
        thread.start()
        port = server.getsockname()[1]
        word = f"proof/1,udp,127.0.0.1,{port},0,{send},{receive}"
        command = ("perl", str(GUEST / "traffic"), "ask", "10/0", word)
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        thread.join()
    return done.stdout, got[0]


RIGHT = b"web1 sees 10.0.3.1 port 5000 for proof/1\n"


@pytest.mark.parametrize(("send", "receive"), [(4000, 7000), (1, 0)])
def test_a_whole_answer_is_told_with_its_length(send: int, receive: int) -> None:
    page = RIGHT + body("web1 proof/1", max(receive - len(RIGHT), 0))
    said, request = ask(lambda _: page, send, receive)
    assert said == f"proof/1 ok {len(page)} {RIGHT.decode()}"
    first = f"client proof/1 wants {receive}\n".encode()
    assert request == first + body("client proof/1", max(send - len(first), 0))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"web1 got other bytes than were sent\n", "web1 got other bytes than were sent"),
        (RIGHT + body("web1 proof/2", 300), "the answer's bytes are not the server's"),
        (RIGHT + body("web1 proof/1", 300)[:-9] + b"\0" * 9, "the answer's bytes"),
        (b"", "the answer has no first line"),
    ],
)
def test_another_answer_than_was_made_is_a_failure(answer: bytes, words: str) -> None:
    said, _ = ask(lambda _: answer, 400, 300)
    assert said.startswith("proof/1 failed ")
    assert words in said
