"""A connection with a deadline for all that is still to come, however slowly the peer sends it."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PIECE = 256 << 10
_GONE = 25  # seconds after which a peer is gone whose system does not answer either
_KEEPALIVE = (
    *((socket.TCP_KEEPIDLE, 10), (socket.TCP_KEEPINTVL, 5), (socket.TCP_KEEPCNT, 3)),
    (socket.TCP_USER_TIMEOUT, _GONE * 1000),
)


class PeerLine:
    """Bytes from and to a peer; ``read`` and ``write`` raise TimeoutError at the deadline."""

    def __init__(self, connection: socket.socket, seconds: float) -> None:
        self.connection = connection
        self.allow(seconds)

    def allow(self, seconds: float) -> None:
        """Set the deadline anew, ``seconds`` from now."""
        self._deadline = time.monotonic() + seconds

    def read(self, size: int, /) -> bytes:
        """``size`` bytes, fewer at the peer's end."""
        parts, missing = [], size
        while missing:
            self._prepare()
            found = self.connection.recv(min(missing, _PIECE))
            if not found:
                break
            parts.append(found)
            missing -= len(found)
        return b"".join(parts)

    def write(self, data: bytes) -> None:
        """Send all of ``data``."""
        self._prepare()
        self.connection.sendall(data)

    def _prepare(self) -> None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        self.connection.settimeout(left)


def keep_alive(connection: socket.socket) -> None:
    """Notice a peer that is gone without a word (tcp(7)), and send small pieces at once."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for option, value in _KEEPALIVE:
        connection.setsockopt(socket.IPPROTO_TCP, option, value)


@contextmanager
def to_unix(path: Path, seconds: float) -> Iterator[socket.socket]:
    """A connection to the Unix socket ``path``, which may be longer than the 107 bytes of unix(7).

    Raises OSError.
    """
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as made:
            made.settimeout(seconds)
            made.connect(f"/proc/self/fd/{folder}/{path.name}")
            yield made
    finally:
        os.close(folder)
