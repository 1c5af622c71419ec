"""What the user sees while work goes on: events and progress.

On a terminal, long work has a tqdm bar; elsewhere (CI, pipes) the same events become
plain lines with a time stamp, and progress is reported at most every ``PLAIN_INTERVAL``
seconds.  Everything goes to standard error, so that standard output stays free for
results (``--json``).
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TextIO

from tqdm import tqdm

from builder.errors import EnvironmentFailure
from builder.shown import printable, printable_json, shown

PLAIN_INTERVAL = 15.0


class Progress:
    """A running total of one piece of work; ``advance`` may be called from any thread."""

    def __init__(self, console: Console, label: str, total: int | None, unit: str) -> None:
        self._console = console
        self._label = label
        self._total = total
        self._unit = unit
        self._done = 0
        self._reported = time.monotonic()
        self._bar: Any = None
        if console.interactive and not console.quiet:
            self._bar = tqdm(
                total=total,
                desc=label,
                unit=unit,
                unit_scale=unit == "B",
                leave=False,
                file=console.stream,
                dynamic_ncols=True,
            )

    @property
    def done(self) -> int:
        """How much has been reported so far, in units."""
        return self._done

    def advance(self, amount: int = 1) -> None:
        """Add ``amount`` units."""
        self._done += amount
        if self._bar is not None:
            self._bar.update(amount)
            return
        now = time.monotonic()
        if now - self._reported >= PLAIN_INTERVAL:
            self._reported = now
            self._console.say(f"{self._label}: {self._position()}")

    def _position(self) -> str:
        if self._unit == "B":
            done, total = f"{self._done / 1e6:.0f}", f"{(self._total or 0) / 1e6:.0f} MB"
        else:
            done, total = str(self._done), f"{self._total or '?'} {self._unit}"
        return f"{done} of {total}" if self._total else f"{done} {total.split()[-1]}"

    def close(self) -> None:
        """Take the bar off the screen."""
        if self._bar is not None:
            self._bar.close()


@contextmanager
def _writing() -> Iterator[None]:
    """Tell of a stream that takes no more by its name: the error itself has no path."""
    try:
        yield
    except BrokenPipeError:  # its reader has gone, see builder.host.outlets
        raise
    except OSError as error:
        raise EnvironmentFailure(
            "messages cannot be written to standard error",
            error.strerror or str(error),
            "lead standard error to a place that has free space, or to a terminal",
        ) from error


def _is_terminal() -> bool:
    return sys.stderr.isatty()  # the one of now: at the start it may have been closed


def put(result: str) -> None:
    """Write a result to standard output; names and texts of others cannot hurt the terminal."""
    print(printable(result))


def put_lines(results: Iterable[str]) -> None:
    """Write results to standard output, a line for each."""
    for result in results:
        put(result)


def put_json(result: str) -> None:
    """Write a JSON document to standard output, which may be a terminal, too."""
    print(printable_json(result))


@dataclass
class Console:
    """Where messages go.  One per command; passed down, never global.

    ``quiet``: warnings alone are said.  ``verbose``: details are, too.
    """

    stream: TextIO = field(default_factory=lambda: sys.stderr)
    interactive: bool = field(default_factory=_is_terminal)
    quiet: bool = False
    verbose: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def say(self, message: str) -> None:
        """One event: a line of its own, with the time of day when not on a terminal.

        What peers said in it cannot hurt the terminal, and URLs have no secrets.
        """
        if not self.quiet:
            self._write(message)

    def warn(self, message: str) -> None:
        """The same for what people must know, however quiet it is to be."""
        self._write(message)

    def detail(self, message: str) -> None:
        """The same for those who want to know more."""
        if self.verbose:
            self._write(message)

    def _write(self, message: str) -> None:
        message = shown(message)
        with self._lock, _writing():
            if self.interactive:
                tqdm.write(message, file=self.stream)
            else:
                stamp = time.strftime("%H:%M:%S")
                self.stream.write(f"{stamp} {message}\n")
                self.stream.flush()

    @contextmanager
    def progress(self, label: str, total: int | None, unit: str) -> Iterator[Progress]:
        """Report progress of ``label`` in ``unit`` ("B" for bytes) up to ``total`` if known."""
        progress = Progress(self, label, total, unit)
        try:
            yield progress
        finally:
            progress.close()
