"""Listening to a program while it runs."""

from __future__ import annotations

import subprocess
import threading
import time


class Listener:
    """Reads what a process says on standard error, to its end, so that it never waits for us."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._lines: list[str] = []
        self._news = threading.Condition()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            with self._news:
                self._lines.append(line)
                self._news.notify_all()

    @property
    def text(self) -> str:
        """All that was said; to its end if the process has ended."""
        if self._process.poll() is not None:
            self._thread.join(5)
        with self._news:
            return "".join(self._lines)

    def wait_for(self, words: str, seconds: float = 600) -> None:
        """Until a line has ``words``; fails when the time is up or the process has ended."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with self._news:
                if any(words in line for line in self._lines):
                    return
                self._news.wait(0.1)
            if self._process.poll() is not None and words not in self.text:
                break
        raise AssertionError(f"{words!r} was not said:\n{self.text}")
