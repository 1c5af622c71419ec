"""Room in memory that the connections of one container share."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

PATIENCE = 10.0
"""Seconds that a connection waits for room; a compiler has given up by twice that time."""


class Crowded(Exception):
    """There was no room in time."""


class Room:
    """``size`` bytes, of which several threads hold some at a time."""

    def __init__(self, size: int) -> None:
        self._free = size
        self._changed = threading.Condition()
        self._is_closed = False

    @contextmanager
    def claim(self) -> Iterator[RoomClaim]:
        """What one connection holds, until the block ends."""
        made = RoomClaim(self)
        try:
            yield made
        finally:
            made.hold(0)

    def close(self) -> None:
        """Let nobody wait any more."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def take(self, count: int) -> None:
        """Raises Crowded if so many bytes do not get free in time; a negative count returns some.

        Who waits may hold nothing: others may wait for that.
        """
        with self._changed:
            if count > 0:
                self._changed.wait_for(lambda: self._free >= count or self._is_closed, PATIENCE)
                if self._free < count:
                    raise Crowded("too many large objects at a time")
            self._free -= count
            if count < 0:
                self._changed.notify_all()


class RoomClaim:
    """The bytes that one thread holds."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._held = 0

    def hold(self, count: int) -> None:
        """Hold ``count`` bytes from now on.  Raises Crowded, and holds as many as before then."""
        self._room.take(count - self._held)
        self._held = count
