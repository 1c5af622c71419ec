"""A process with a relay and one door, as a builder is one; it says what it uses.

``python -m tests.support.relay.process URL FOLDER FILES`` has at most FILES open files.  It writes
a line of JSON (``Usage``) for each line that it reads, and a last one when its door is closed: at
the end of its input.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from builder.console import Console
from builder.relay.door import SOCKET
from builder.relay.model import CompilerCache
from builder.relay.relay import Relay
from tests.support.relay.doors import door_to
from tests.world import ROOT


class Usage(msgspec.Struct):
    """``memory``: the most that the process had, in MiB.  ``threads``: now.  ``seconds``: of
    processor time.  ``trouble``: why it cannot do its work."""

    memory: int
    threads: int
    seconds: float
    trouble: str


@dataclass(frozen=True)
class RelayProcess:
    """A process that runs, and the path of its socket."""

    process: subprocess.Popen[bytes]
    socket: Path

    def use(self) -> Usage:
        """What it uses now."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()
        return self._read()

    def end(self) -> Usage:
        """Close its door, and say what it used then."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self._read()

    def _read(self) -> Usage:
        assert self.process.stdout is not None
        return msgspec.json.decode(self.process.stdout.readline(), type=Usage)


@contextmanager
def start(url: str, folder: Path, files: int = 1024) -> Iterator[RelayProcess]:
    """Run one until the block ends."""
    argv = [sys.executable, "-m", "tests.support.relay.process", url, str(folder), str(files)]
    pipe = subprocess.PIPE
    with subprocess.Popen(argv, stdin=pipe, stdout=pipe, cwd=ROOT) as process:
        try:
            made = RelayProcess(process, folder / SOCKET)
            made.use()
            yield made
        finally:
            process.kill()


def usage(readable: Path) -> Usage:
    """What this process uses."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    try:
        readable.read_bytes()
        trouble = ""
    except OSError as error:
        trouble = str(error)
    seconds = used.ru_utime + used.ru_stime
    return Usage(used.ru_maxrss >> 10, threading.active_count(), seconds, trouble)


def main(url: str, folder: Path, files: int) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    relay = Relay(CompilerCache(url, True), Console(sys.stderr, interactive=False))

    def tell() -> None:
        sys.stdout.buffer.write(msgspec.json.encode(usage(Path(__file__))) + b"\n")
        sys.stdout.flush()

    with door_to(relay, folder):
        for _ in sys.stdin:
            tell()
    tell()
    relay.close(at_once=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
