"""What the user sees while work goes on: events and progress.

On a terminal, each stage that runs has a line (``builder.board``); elsewhere (CI, pipes, a terminal
of no columns, TERM=dumb) there are plain lines with a time stamp.  Everything goes to standard
error, so that standard output stays free for results (``--json``).
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TextIO

from builder.colour import Tone, is_coloured, is_terminal, painted
from builder.errors import EnvironmentFailure
from builder.shown import printable, printable_json, shown

if TYPE_CHECKING:
    from builder.board import Board, Running, Whole
    from builder.folding import Fold

PLAIN_INTERVAL = 15.0


class Progress:
    """A running total of one piece of work; ``advance`` may be called from any thread.

    It updates the line of the stage that it is part of, if there is one.
    """

    def __init__(
        self, console: Console, label: str, total: int | None, unit: str, line: Running | None
    ) -> None:
        self._console = console
        self._label = label
        self._total = total
        self._unit = unit
        self._done = 0
        self._reported = time.monotonic()
        self._line = line
        self._bar: Any = None
        if line is not None:
            line.count(total, unit)
        elif console.interactive and not console.quiet:
            from tqdm import tqdm  # noqa: PLC0415 - only needed on a terminal

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
        if self._line is not None:
            self._line.done = self._done
            return
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
        if self._line is not None:
            self._line.count(None, "")
        if self._bar is not None:
            self._bar.close()


@contextmanager
def _writing() -> Iterator[None]:
    """Name the stream that accepts no more in the error: the error itself has no path."""
    try:
        yield
    except BrokenPipeError:  # its reader has gone, see builder.host.outlets
        raise
    except OSError as error:
        raise EnvironmentFailure(
            "messages cannot be written to standard error",
            error.strerror or str(error),
            "redirect standard error to a place that has free space, or to a terminal",
        ) from error


def _is_terminal() -> bool:
    return is_terminal(sys.stderr)  # the current one: at the start it may have been closed


def put(result: str) -> None:
    """Write a result to standard output; foreign names and texts cannot harm the terminal."""
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

    ``interactive``: lines can be redrawn.  ``quiet``: only warnings are printed.  ``verbose``:
    details are printed, too.
    """

    stream: TextIO = field(default_factory=lambda: sys.stderr)
    interactive: bool = field(default_factory=_is_terminal)
    quiet: bool = False
    verbose: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)
    _said: float = field(default_factory=time.monotonic, init=False)
    _lines: dict[int, Running] = field(default_factory=dict, init=False)
    _board: Board | None = field(default=None, init=False)
    _folded: Fold | None = field(default=None, init=False)

    def say(self, message: str, tone: Tone = Tone.PLAIN) -> None:
        """Print an event: a line of its own, with the time of day if not on a terminal.

        Text from peers in it cannot harm the terminal, and URLs have no secrets.
        """
        if not self.quiet:
            self._write(message, tone)

    def warn(self, message: str) -> None:
        """Print what people must know, even if ``quiet``."""
        self._write(message, Tone.WARNING)

    def detail(self, message: str) -> None:
        """Print a detail, only if ``verbose``."""
        if self.verbose:
            self._write(message, Tone.PLAIN)

    def _write(self, message: str, tone: Tone) -> None:
        message = shown(message)
        with self._lock, _writing():
            self._said = time.monotonic()
            if self.interactive:
                from tqdm import tqdm  # noqa: PLC0415 - only needed on a terminal

                coloured = is_coloured(self.stream)
                tqdm.write(painted(message, tone) if coloured else message, file=self.stream)
            else:
                stamp = time.strftime("%H:%M:%S")
                self.stream.write(f"{stamp} {message}\n")
                self.stream.flush()

    def put_raw(self, line: str) -> None:
        """Print a line unchanged, for the program that keeps this log."""
        with self._lock, _writing():
            self.stream.write(f"{line}\n")
            self.stream.flush()

    @contextmanager
    def board(self, whole: Callable[[Mapping[str, float]], Whole]) -> Iterator[None]:
        """Give stages lines (``stage``) within the block; ``whole``: see ``Board``."""
        from builder.board import Board  # noqa: PLC0415 - only for runs of stages

        self._board = Board(
            self.stream,
            whole,
            interactive=self.interactive,
            say=self.say,
            quiet_for=lambda: time.monotonic() - self._said,
        )
        try:
            yield
        finally:
            self._board.close()
            self._board = None
            if self._folded is not None:
                self.put_raw(self._folded.end)
                self._folded = None

    @contextmanager
    def stage(self, name: str, expected: float) -> Iterator[None]:
        """This thread works on a stage: its counts within the block are shown in its line."""
        if self._board is None or self.quiet:
            yield
            return
        self._fold()
        thread = threading.get_ident()
        with self._board.stage(name, expected) as line:
            self._lines[thread] = line
            try:
                yield
            finally:
                del self._lines[thread]

    def _fold(self) -> None:
        """Let a CI fold the messages of the run; its outcome follows below them."""
        with self._lock:
            if self._folded is not None or self.interactive:
                return
            from builder.folding import fold  # noqa: PLC0415 - only if a stage runs

            self._folded = fold("stages")
        if self._folded is not None:
            self.put_raw(self._folded.begin)

    def position(self) -> str:
        """How far the run is, such as ``[12/23] ``; empty if none is under way."""
        return f"{self._board.position()} " if self._board is not None else ""

    @contextmanager
    def progress(self, label: str, total: int | None, unit: str) -> Iterator[Progress]:
        """Report progress of ``label`` in ``unit`` ("B" for bytes) up to ``total`` if known."""
        line = self._lines.get(threading.get_ident())
        progress = Progress(self, label, total, unit, line)
        try:
            yield progress
        finally:
            progress.close()
