"""Whether a store is worth the time that is waited for it."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field


@dataclass
class StorePace:
    """Counts answers and their time.

    A store is too slow when all answers together have taken more than ``grace`` seconds, and
    ``each`` seconds for each of them.
    """

    grace: float
    each: float
    _count: int = 0
    _spent: float = 0.0
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def add(self, seconds: float) -> str:
        """Note an answer; says so if the store is too slow, and is empty if it is not."""
        with self._guard:
            self._count += 1
            self._spent += seconds
            if self._spent <= self.grace + self.each * self._count:
                return ""
            return f"it is too slow: {self._count} answers took {self._spent:.0f} s together"
