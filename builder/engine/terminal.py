"""The user's terminal, connected to a container's."""

from __future__ import annotations

import contextlib
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from docker import APIClient
from docker.errors import APIError

from builder.host.terminal import raw, relay


def _fit(client: APIClient, container: str) -> None:
    size = shutil.get_terminal_size()
    # The container may have ended between the key press and this call.
    with contextlib.suppress(APIError):
        client.resize(container, size.lines, size.columns)


@contextmanager
def _following_size(client: APIClient, container: str) -> Iterator[None]:
    def changed(_number: int, _frame: FrameType | None) -> None:
        _fit(client, container)

    before = signal.signal(signal.SIGWINCH, changed)
    try:
        _fit(client, container)
        yield
    finally:
        signal.signal(signal.SIGWINCH, before)


def converse(client: APIClient, container: str) -> None:
    """Start ``container`` (made with a terminal) and connect it until it ends."""
    options = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
    attached: Any = client.attach_socket(container, options)
    # The SDK hands out a read-only file object; the socket under it goes both ways.
    line = getattr(attached, "_sock", attached)
    line.setblocking(True)
    client.start(container)
    try:
        with raw(sys.stdin.fileno()), _following_size(client, container):
            relay(line)
    finally:
        attached.close()
