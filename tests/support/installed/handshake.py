"""One TCP connection, and what its other end has offered (tcp(7), TCP_INFO).

handshake.py serve PORT                         greets whoever connects, until it is ended
handshake.py ask ADDRESS PORT SOURCE SECONDS    "MSS, wscale N, SACK, timestamps: hello"
"""

from __future__ import annotations

import socket
import sys

FLAGS = ((4, "wscale"), (2, "SACK"), (1, "timestamps"))
STAMP = 12
"""Bytes of every segment that timestamps take."""


def serve(port: int) -> None:
    with socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True) as door:
        print("listens", flush=True)
        while True:
            guest, _ = door.accept()
            guest.sendall(b"hello")
            guest.close()


def offered(connection: socket.socket) -> str:
    """``struct tcp_info`` of linux/tcp.h: flags, both window scales, and the MSS to the peer."""
    info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 20)
    flags, scale, size = info[5], info[6] & 15, int.from_bytes(info[16:20], sys.byteorder)
    words = [str(size + (STAMP if flags & 1 else 0))]
    words += [f"{word} {scale}" if bit == 4 else word for bit, word in FLAGS if flags & bit]
    return ", ".join(words)


def ask(address: str, port: int, source: str, seconds: float) -> str:
    try:
        with socket.create_connection((address, port), seconds, (source, 0)) as connection:
            connection.settimeout(seconds)
            said = offered(connection)
            return f"{said}: {connection.recv(100).decode()}"
    except TimeoutError:
        return "no answer"


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(int(sys.argv[2]))
    else:
        print(ask(sys.argv[2], int(sys.argv[3]), sys.argv[4], float(sys.argv[5])))
