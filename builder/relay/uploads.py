"""Objects on their way to the store: a compiler does not wait for them."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable

from builder.errors import Interrupted
from builder.relay.model import ObjectKey, ObjectStore, RelayTraffic
from builder.source.limit import ContentRefused, LocationFailed

WORKERS = 4
WAITING = 64 << 20
"""Bytes that may wait; more are not stored."""
AT_END = 120.0
"""Seconds that are waited for the last objects; a slower store does not get them."""
_PATIENCE = 0.2  # seconds between looks at the clock


class Uploads:
    """Stores objects in threads of its own.  ``fail`` is told of the first failure, the last one
    that counts: nothing more is stored then."""

    def __init__(self, store: ObjectStore, fail: Callable[[LocationFailed], None]) -> None:
        self._store = store
        self._fail = fail
        self._guard = threading.Lock()
        self._waiting = 0
        self._left = 0
        self._is_closed = False
        self._given_up = threading.Event()
        self._queue: queue.Queue[tuple[ObjectKey, bytes, RelayTraffic] | None] = queue.Queue()
        self._workers: list[threading.Thread] = []

    def add(self, key: ObjectKey, data: bytes, traffic: RelayTraffic) -> None:
        """Store an object soon, unless too many wait."""
        with self._guard:
            is_full = self._waiting + len(data) > WAITING
            if self._is_closed or self._given_up.is_set() or is_full:
                return
            self._waiting += len(data)
            self._left += 1
            if len(self._workers) < WORKERS:
                self._workers.append(threading.Thread(target=self._work, daemon=True))
                self._workers[-1].start()
        self._queue.put((key, data, traffic))

    def give_up(self) -> None:
        """Store nothing more."""
        self._given_up.set()

    def close(self) -> int:
        """Wait until everything is stored or given up, but not for longer than ``AT_END``.

        Nothing is taken any more.  Returns how many objects were given up because of the time.
        """
        with self._guard:
            self._is_closed = True
        for _ in self._workers:
            self._queue.put(None)
        until = time.monotonic() + AT_END
        while any(worker.is_alive() for worker in self._workers):
            if time.monotonic() > until and not self._given_up.is_set():
                self._given_up.set()
                return self._left
            for worker in self._workers:
                worker.join(_PATIENCE / WORKERS)
        return 0

    def _work(self) -> None:
        while (one := self._queue.get()) is not None:
            key, data, traffic = one
            if not self._given_up.is_set():
                self._put(key, data, traffic)
            with self._guard:
                self._waiting -= len(data)
                self._left -= 1

    def _put(self, key: ObjectKey, data: bytes, traffic: RelayTraffic) -> None:
        try:
            self._store.put(key, data)
        except Interrupted:
            self._given_up.set()
        except ContentRefused:  # of one object alone
            traffic.add(errors=1)
        except LocationFailed as failure:
            traffic.add(errors=1)
            with self._guard:
                is_first = not self._given_up.is_set()
                self._given_up.set()
            if is_first:
                self._fail(failure)
        else:
            traffic.add(stored=1, sent=len(data))
