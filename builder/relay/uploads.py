"""Objects on their way to the store: a compiler does not wait for them."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

from builder.errors import Interrupted
from builder.relay.model import ObjectKey, ObjectStore, RelayTraffic
from builder.source.limit import LocationFailed

WORKERS = 4
WAITING = 64 << 20
"""Bytes that may wait; more are not stored."""
_PATIENCE = 0.2  # seconds between looks at the clock


class Uploads:
    """Stores objects in threads of its own.  ``fail`` is told of the first failure, the last one
    that counts: nothing more is stored then."""

    def __init__(self, store: ObjectStore, fail: Callable[[LocationFailed], None]) -> None:
        self._store = store
        self._fail = fail
        self._guard = threading.Lock()
        self._waiting = 0
        self._given_up = threading.Event()
        self._queue: queue.Queue[tuple[ObjectKey, bytes, RelayTraffic] | None] = queue.Queue()
        self._workers: list[threading.Thread] = []

    def add(self, key: ObjectKey, data: bytes, traffic: RelayTraffic) -> None:
        """Store an object soon, unless too many wait."""
        with self._guard:
            if self._given_up.is_set() or self._waiting + len(data) > WAITING:
                return
            self._waiting += len(data)
            if len(self._workers) < WORKERS:
                self._workers.append(threading.Thread(target=self._work, daemon=True))
                self._workers[-1].start()
        self._queue.put((key, data, traffic))

    def give_up(self) -> None:
        """Store nothing more."""
        self._given_up.set()

    def close(self) -> None:
        """Wait until everything is stored, or given up.  Nothing may be added any more."""
        for _ in self._workers:
            self._queue.put(None)
        for worker in self._workers:
            while worker.is_alive():
                worker.join(_PATIENCE)

    def _work(self) -> None:
        while (one := self._queue.get()) is not None:
            key, data, traffic = one
            if not self._given_up.is_set():
                self._put(key, data, traffic)
            with self._guard:
                self._waiting -= len(data)

    def _put(self, key: ObjectKey, data: bytes, traffic: RelayTraffic) -> None:
        try:
            self._store.put(key, data)
        except Interrupted:
            self._given_up.set()
        except LocationFailed as failure:
            traffic.add(errors=1)
            with self._guard:
                is_first = not self._given_up.is_set()
                self._given_up.set()
            if is_first:
                self._fail(failure)
        else:
            traffic.add(stored=1, sent=len(data))
