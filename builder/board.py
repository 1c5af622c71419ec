"""The running stages: a line for each, and the time that the whole run still needs.

On a terminal tqdm redraws the lines each second.  Elsewhere one line says the same after a while
without messages, so that a log is never silent for a minute.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TextIO

from builder.spans import about, span

if TYPE_CHECKING:
    from tqdm import tqdm

REDRAWN = 1.0
"""Seconds between two drawings on a terminal."""
SILENCE = 30.0
"""Seconds without a message after which a log gets one."""
_LEAST = 0.02  # share of a stage's work: before that its speed means nothing
_BAR = "{desc} {percentage:3.0f}% {bar:24} {unit}"
_NO_BAR = "{desc} {unit}"


@dataclass(frozen=True)
class Whole:
    """A run: how many stages are settled, of how many, and the seconds that it still needs.

    ``known``: all remaining stages have run here before, so that the time is not a guess.
    """

    settled: int
    total: int
    left: float
    known: bool = True

    def text(self, elapsed: float) -> str:
        guess = "" if self.known else ", estimated"
        return f"{span(elapsed)}, {about(self.left)} left{guess}"


@dataclass
class Running:
    """One running stage.

    ``expected``: seconds, 0 if unknown.  ``done`` of ``total`` ``unit``: its current count, begun
    at ``since``; ``total`` is None if unknown.
    """

    name: str
    expected: float
    begun: float = field(default_factory=time.monotonic)
    done: int = 0
    total: int | None = None
    unit: str = ""
    since: float = 0.0

    def count(self, total: int | None, unit: str) -> None:
        """Start to count ``unit``, up to ``total``."""
        self.done, self.total, self.unit, self.since = 0, total, unit, time.monotonic()

    def share(self, now: float) -> float | None:
        """How much of it is done, from 0 to 1; None if that is not known.

        It stays below 1: there may be more objects than the last time.
        """
        if self.total:
            return min(self.done / self.total, 0.99)
        return min((now - self.begun) / self.expected, 0.99) if self.expected else None

    def left(self, now: float) -> float:
        """Seconds that it still needs: by its speed if it counts, else by the expected time."""
        spent = max(self.expected - (now - self.begun), 0.0)
        if not self.total or self.done < self.total * _LEAST:
            return spent
        return (now - self.since) * max(self.total - self.done, 0) / self.done

    def text(self, now: float) -> str:
        """Such as ``1336 of 2969 objects, 3 min 20 s, about 4 min left``."""
        words = [self._counted()] if self.unit else []
        words.append(span(now - self.begun))
        left = self.left(now)
        if left:
            words.append(f"{about(left)} left")
        return ", ".join(words)

    def _counted(self) -> str:
        if self.unit == "B":
            done, unit = f"{self.done / 1e6:.0f}", "MB"
            return f"{done} of {self.total / 1e6:.0f} {unit}" if self.total else f"{done} {unit}"
        return (
            f"{self.done} of {self.total} {self.unit}"
            if self.total
            else (f"{self.done} {self.unit}")
        )


class Board:
    """The lines of the running stages.  ``say`` writes a line; ``quiet_for``: seconds since one.

    ``whole``: the state of the run, given the seconds that each running stage still needs.
    """

    def __init__(
        self,
        stream: TextIO,
        whole: Callable[[Mapping[str, float]], Whole],
        *,
        interactive: bool,
        say: Callable[[str], None],
        quiet_for: Callable[[], float],
    ) -> None:
        self._stream, self._whole, self._interactive = stream, whole, interactive
        self._say, self._quiet_for = say, quiet_for
        self._begun = time.monotonic()
        self._lines: dict[str, Running] = {}
        self._bars: dict[str, tqdm[Any]] = {}
        self._guard = threading.Lock()
        self._ended = threading.Event()
        self._ticker: threading.Thread | None = None

    def _start(self) -> None:
        if self._ticker is None:
            self._ticker = threading.Thread(target=self._tick, daemon=True, name="progress")
            self._ticker.start()

    def close(self) -> None:
        """Take all lines off the screen."""
        self._ended.set()
        if self._ticker is not None:
            self._ticker.join()
        with self._guard:
            for bar in self._bars.values():
                bar.close()
            self._bars.clear()

    @contextmanager
    def stage(self, name: str, expected: float) -> Iterator[Running]:
        """A line for a stage, as long as the block lasts; ``expected``: seconds, 0 if unknown."""
        line = Running(name, expected)
        with self._guard:
            self._lines[name] = line
        self._start()
        try:
            yield line
        finally:
            with self._guard:
                del self._lines[name]
                bar = self._bars.pop(name, None)
            if bar is not None:
                bar.close()

    def position(self) -> str:
        """Such as ``[12/23]``."""
        whole = self._whole({})
        return f"[{whole.settled}/{whole.total}]"

    def _tick(self) -> None:
        while not self._ended.wait(REDRAWN):
            if self._interactive:
                self._draw()
            elif self._quiet_for() >= SILENCE and self._lines:
                self._say(self.text())

    def text(self) -> str:
        """All running stages, in one line."""
        now, lines = time.monotonic(), self._running()
        whole = self._whole({line.name: line.left(now) for line in lines})
        running = [f"{line.name}: {line.text(now)}" for line in lines]
        head = f"[{whole.settled}/{whole.total}] {whole.text(now - self._begun)}"
        return "; ".join([head, *running])

    def _running(self) -> list[Running]:
        with self._guard:
            return list(self._lines.values())

    def _draw(self) -> None:
        now, lines = time.monotonic(), self._running()
        whole = self._whole({line.name: line.left(now) for line in lines})
        head = f"[{whole.settled}/{whole.total}]"
        self._draw_one("", head, whole.text(now - self._begun), None)
        for line in lines:
            self._draw_one(line.name, f"{head} {line.name}", line.text(now), line.share(now))

    def _draw_one(self, key: str, head: str, words: str, share: float | None) -> None:
        with self._guard:
            if self._ended.is_set() or (key and key not in self._lines):
                return
            bar = self._bars.get(key)
            if bar is None:
                bar = self._bars[key] = self._bar(head, words)
            bar.bar_format = _NO_BAR if share is None else _BAR
            bar.n = round((share or 0.0) * 100)
            bar.set_description_str(head, refresh=False)
            bar.unit = words
            bar.refresh()

    def _bar(self, head: str, words: str) -> tqdm[Any]:
        from tqdm import tqdm  # noqa: PLC0415 - only who has a terminal pays for it

        return tqdm(
            total=100,
            desc=head,
            unit=words,
            bar_format=_NO_BAR,
            leave=False,
            file=self._stream,
            dynamic_ncols=True,
            ascii=" =",
        )
