"""The host's side of a compiler: its slots connect to a socket of the host, for one job each.

The socket and its folder are the host's.  A container can connect to it, as often as it likes, and
nothing else: nothing on the host ever follows a name that a container may have made.
"""

from __future__ import annotations

import os
import select
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from builder.farm import distcc
from builder.farm.distcc import JobAnswer
from builder.farm.line import PeerLine
from builder.farm.model import WorkerFailed

SOCKET = "socket"
FREE_SECONDS = 10.0
"""Until a slot has come that ought to be free: its container is of no use without."""


class NoSlot(WorkerFailed):
    """No slot has come in time."""


class CompilerSlots:
    """A listening socket in the folder ``folder``; slots that wait are in its queue.

    ``most``: how many slots there are.
    """

    def __init__(self, folder: Path, most: int) -> None:
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        # The path of a socket has at most 107 bytes (unix(7)), that of a folder may have more.
        handle = os.open(folder, os.O_PATH | os.O_DIRECTORY)
        try:
            self._listener.bind(f"/proc/self/fd/{handle}/{SOCKET}")
        finally:
            os.close(handle)
        (folder / SOCKET).chmod(0o666)  # the container's user is another one
        self._listener.setblocking(False)
        self._listener.listen(most)

    def has_come(self, seconds: float) -> bool:
        """Whether a slot waits, or comes in time."""
        ready = select.poll()  # select(2) knows no file above 1023
        ready.register(self._listener, select.POLLIN)
        return bool(ready.poll(seconds * 1000))

    def compile(self, job: bytes, seconds: float) -> JobAnswer:
        """Do a job of distcc.  Raises NoSlot, and WorkerFailed if no whole answer comes in time."""
        with self._taken() as slot:
            line = PeerLine(slot, seconds)
            try:
                line.write(job)
                return distcc.read_answer(line)
            except (OSError, distcc.BrokenTalk) as error:
                raise WorkerFailed(str(error)) from error

    def close(self) -> None:
        """Take no slot any more; those that wait are told."""
        self._listener.close()

    @contextmanager
    def _taken(self) -> Iterator[socket.socket]:
        """The connection of a slot that lives."""
        deadline = time.monotonic() + FREE_SECONDS
        while (left := deadline - time.monotonic()) > 0:
            slot = self._accept(left)
            if slot is None:
                continue
            with slot:
                if _waits(slot):
                    yield slot
                    return
        raise NoSlot("no slot of the compiler is free")

    def _accept(self, seconds: float) -> socket.socket | None:
        try:
            self.has_come(seconds)
            return self._listener.accept()[0]
        except BlockingIOError:  # another thread was quicker
            return None
        except (OSError, ValueError) as error:  # it is closed
            raise NoSlot("the compiler is being ended") from error


def _waits(slot: socket.socket) -> bool:
    """Whether a slot waits for a job; one that has ended meanwhile, or speaks first, does not."""
    with suppress(BlockingIOError):
        slot.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        return False
    return True
