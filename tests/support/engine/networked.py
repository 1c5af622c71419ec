"""A container engine with a network, which is in a network namespace of its own.

The builder's engine has none.  What the namespace's processes see at 127.0.0.1 is theirs alone.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import docker
from docker.errors import DockerException

from builder.engine import remains
from builder.host.removal import remove

_START_SECONDS = 60.0


@dataclass(frozen=True)
class NetworkedEngine:
    """``socket``: of its API.  ``process``: has its namespaces."""

    socket: Path
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"

    @property
    def proc(self) -> Path:
        """The ``/proc`` of the engine's processes, by the numbers that they have for it."""
        parent = self.process.pid
        (first,) = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        return Path(f"/proc/{first}/root/proc")

    def inside(self, *words: str) -> tuple[str, ...]:
        """The command that runs another one in the engine's network."""
        return ("nsenter", f"--net=/proc/{self.process.pid}/ns/net", *words)


@contextmanager
def engine(folder: Path) -> Iterator[NetworkedEngine]:
    """Run one until the block ends; ``folder``: a new one for all it has, with a short path."""
    run, data, log = folder / "run", folder / "data", folder / "log"
    run.mkdir(parents=True)
    settings = run / "daemon.json"
    settings.write_text("{}\n")
    group = f"networked-{os.getpid()}"
    argv = [
        *("unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"),
        *("sh", "-c", 'ip link set lo up && exec "$@"', "sh"),
        *("dockerd", f"--data-root={data}", f"--exec-root={run}", f"--pidfile={run}/pid"),
        *(f"--host=unix://{run}/socket", "--group=root", f"--config-file={settings}"),
        *("--exec-opt=native.cgroupdriver=cgroupfs", f"--cgroup-parent=/{group}"),
        "--log-level=warn",
    ]
    environment = {**os.environ, "TMPDIR": str(run)}
    with (
        log.open("wb") as said,
        subprocess.Popen(argv, stdout=said, stderr=said, env=environment) as process,
    ):
        made = NetworkedEngine(run / "socket", process)
        try:
            _wait(made, log)
            yield made
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
            remains.clear(run, data, group)
            remove(data, folder)


def _wait(made: NetworkedEngine, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while made.process.poll() is None and time.monotonic() < deadline:
        try:
            with closing(docker.DockerClient(made.url)) as client:
                client.ping()
                return
        except DockerException:
            time.sleep(0.1)
    raise OSError(log.read_text())
