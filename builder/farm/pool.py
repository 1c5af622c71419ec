"""A worker's compilers: each does the jobs of one client's session alone.

So no process and no file that a job leaves behind meets another client's job.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field

from builder.farm.compiler import Compiler
from builder.farm.slots import NoSlot

IDLE_SECONDS = 120.0
"""That a compiler without a job is kept."""


@dataclass
class _Member:
    """The compiler of one session; ``guard`` is held while it is started or ended."""

    guard: threading.Lock = field(default_factory=threading.Lock)
    stack: ExitStack = field(default_factory=ExitStack)
    made: Compiler | None = None
    users: int = 0
    last: float = 0.0
    is_broken: bool = False

    def end(self) -> None:
        """End the compiler."""
        self.made, self.is_broken = None, False
        self.stack.close()


class CompilerPool:
    """``start`` starts a compiler, whose number it gets; at most ``most`` of them are kept idle."""

    def __init__(self, start: Callable[[int], AbstractContextManager[Compiler]], most: int) -> None:
        self._start = start
        self._most = most
        self._guard = threading.Lock()
        self._members: dict[str, _Member] = {}
        self._started = 0
        self._is_closed = False

    @contextmanager
    def compiler(self, session: str) -> Iterator[Compiler]:
        """The session's compiler, started if need be.

        If the block raises NoSlot, it is started anew for the next job.  Raises BuilderError if it
        does not start, and NoSlot after ``close``.
        """
        with self._guard:
            if self._is_closed:
                raise NoSlot("the worker is ending")
            member = self._members.setdefault(session, _Member())
            member.users += 1
        try:
            yield self._ready(member)
        except NoSlot:
            member.is_broken = True
            raise
        finally:
            with self._guard:
                member.users -= 1
                member.last = time.monotonic()
            self.sweep()

    def sweep(self) -> None:
        """End compilers that nobody has used for a while, and idle ones that are too many."""
        with self._guard:
            idle = [name for name, one in self._members.items() if not one.users]
            idle.sort(key=lambda name: self._members[name].last)
            limit = time.monotonic() - IDLE_SECONDS
            old = [name for name in idle if self._members[name].last < limit]
            ended = [self._members.pop(name) for name in {*old, *idle[: -self._most]}]
        for member in ended:
            member.end()

    def close(self) -> None:
        """End all of them; none is started after that."""
        with self._guard:
            self._is_closed = True
            members, self._members = self._members, {}
        for member in members.values():
            with member.guard:
                member.end()

    def _ready(self, member: _Member) -> Compiler:
        with member.guard:
            if self._is_closed:
                raise NoSlot("the worker is ending")
            found = member.made
            if found is None or member.is_broken or not found.is_running:
                member.end()
                with self._guard:
                    self._started += 1
                    number = self._started
                found = member.made = member.stack.enter_context(self._start(number))
            return found
