"""A container's output: every byte to the log, and line by line to a listener."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from builder.errors import EnvironmentFailure

# A listener looks for compiler messages; it gets only the start of a line longer than this.
LISTENED_BYTES = 64 * 1024

Listener = Callable[[str], None]


class LineSplitter:
    """Cuts one stream into lines without ever holding more than ``LISTENED_BYTES`` of one."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._held = b""

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the stream and pass on the lines that they finish."""
        *lines, rest = data.split(b"\n")
        for line in lines:
            self._hold(line)
            self._emit()
        self._hold(rest)

    def finish(self) -> None:
        """Pass on a last line that has no newline."""
        if self._held:
            self._emit()

    def _hold(self, piece: bytes) -> None:
        self._held += piece[: LISTENED_BYTES - len(self._held)]

    def _emit(self) -> None:
        line, self._held = self._held, b""
        self._listener(line.decode(errors="replace").rstrip("\r"))


class OutputLog:
    """Appends a container's output to ``path``; standard output and error keep their lines apart.

    ``most``: bytes that are kept; what comes after them is lost.  Raises EnvironmentFailure when
    the log cannot be written (full disk).
    """

    def __init__(self, path: Path, listener: Listener | None, most: int | None = None) -> None:
        self._path = path
        self._left = most
        self._splitters = (LineSplitter(listener), LineSplitter(listener)) if listener else None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("ab", buffering=0)
        except OSError as error:
            raise self._failure(error) from error

    def _failure(self, error: OSError) -> EnvironmentFailure:
        return EnvironmentFailure(
            f"cannot write the log {self._path.name}", str(error), "free space, then run again"
        )

    def write(self, stdout: bytes | None, stderr: bytes | None) -> None:
        """Take bytes of either stream."""
        for number, data in enumerate((stdout, stderr)):
            if not data:
                continue
            try:
                self._write_whole(data)
            except OSError as error:
                raise self._failure(error) from error
            if self._splitters:
                self._splitters[number].feed(data)

    def _write_whole(self, data: bytes) -> None:
        view = memoryview(data)[: self._left]
        if self._left is not None:
            self._left -= len(view)
        while view:
            view = view[self._file.write(view) :]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()
        if self._splitters and kind is None:
            for splitter in self._splitters:
                splitter.finish()
