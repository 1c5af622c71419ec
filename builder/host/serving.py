"""A server of the standard library, served by a thread of its own while a block runs."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

Server = TypeVar("Server", bound=socketserver.BaseServer)
_POLL = 0.02


@contextmanager
def served(server: Server, poll: float = _POLL) -> Iterator[Server]:
    """Serve connections until the block ends, then take no more, and close the server.

    ``poll``: seconds until the end is noticed.
    """
    with server:
        thread = threading.Thread(target=server.serve_forever, args=(poll,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
