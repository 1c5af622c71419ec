"""Workers as people run them: ``invoke worker`` in a process of its own."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.world import World

_LISTENING = re.compile(r"listening at .* port ([0-9]+)")


@dataclass
class RunningWorker:
    """``said``: lines that it has told its user so far."""

    process: subprocess.Popen[str]
    port: int
    said: list[str] = field(default_factory=list)

    def send(self, number: signal.Signals) -> None:
        os.kill(self.process.pid, number)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as made:
        return int(made.getsockname()[1])


@contextmanager
def worker(world: World, *options: str) -> Iterator[RunningWorker]:
    """A worker with four jobs, until the block ends."""
    with running(world, "--jobs", "4", *options) as made:
        yield made


@contextmanager
def running(world: World, *options: str, address: str = "127.0.0.1") -> Iterator[RunningWorker]:
    """A worker of the small profile's base, until the block ends."""
    port = free_port()
    listen = ("--listen", f"{address}:{port}")
    with world.start("worker", "--profile", "small", *listen, *options) as process:
        made, ready = RunningWorker(process, port), threading.Event()

        def hear() -> None:
            assert process.stderr is not None
            for line in process.stderr:
                made.said.append(line.rstrip("\n"))
                if _LISTENING.search(line):
                    ready.set()
            ready.set()

        thread = threading.Thread(target=hear, daemon=True)
        thread.start()
        try:
            assert ready.wait(180), made.said
            assert process.poll() is None, made.said
            yield made
        finally:
            if process.poll() is None:
                made.send(signal.SIGCONT)
                process.terminate()
            process.wait(60)
            thread.join(10)


def image_of(world: World, made: RunningWorker) -> str:
    """The SHA-256 of the base's root that a worker has, of which it tells the first digits."""
    said = re.search(r"SHA-256 ([0-9a-f]{12})", "\n".join(made.said))
    assert said
    manifests = (world.cache / "stages" / "image-build").glob("*/stage.json")
    outputs = (one for path in manifests for one in json.loads(path.read_text())["outputs"])
    (found,) = {one["sha256"] for one in outputs if one["sha256"].startswith(said[1])}
    return str(found)
