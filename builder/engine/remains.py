"""Clear away what a private engine leaves when it did not end by itself.

A killed dockerd leaves containerd, shims, containers, mounts and control groups behind.
The run folder identifies everything of one engine: it is in every command line, and the mounts
are in it or in the data folder.  Nothing else is touched.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from builder.engine.identity import start_ticks
from builder.host import mounts
from builder.host.removal import remove

PATIENCE = 10.0


@dataclass(frozen=True)
class Process:
    """A running process; ``start`` keeps a reused number from being mistaken for it."""

    pid: int
    start: int
    argv: tuple[str, ...]

    @property
    def lives(self) -> bool:
        return start_ticks(self.pid) == self.start

    def send(self, number: int) -> None:
        """Signal it, if it still is the process that was found."""
        if self.lives:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)


def _argv(pid: int) -> tuple[str, ...]:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return ()
    return tuple(os.fsdecode(word) for word in words[:-1])


def _find(pid: int) -> Process | None:
    start = start_ticks(pid)
    return None if start is None else Process(pid, start, _argv(pid))


def engine_processes(run: Path) -> list[Process]:
    """Every process whose command line names the run folder: dockerd, containerd, shims, keeper."""
    inside = (str(run), f"--exec-root={run}")
    found = []
    for name in (entry.name for entry in Path("/proc").iterdir()):
        if not name.isdigit() or int(name) == os.getpid():
            continue
        process = _find(int(name))
        if process and any(
            word in inside or word.startswith(f"{run}/") for word in process.argv[1:]
        ):
            found.append(process)
    return found


def _children(pid: int) -> list[Process]:
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += [_find(int(child)) for child in task.read_text(encoding="utf-8").split()]
    # The keeper is a child of flock(1), which is one of the engine's processes.
    return [process for process in found if process and process.pid != os.getpid()]


def wait_until_dead(processes: Iterable[Process], seconds: float) -> bool:
    """Wait up to ``seconds``; return whether all are gone."""
    waiting = list(processes)
    deadline = time.monotonic() + seconds
    while waiting := [process for process in waiting if process.lives]:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def kill_processes(run: Path) -> None:
    """Kill what is left of the engine: first its managers, then the containers' first processes."""
    processes = engine_processes(run)
    # The first process of a container is a child of its shim and takes all others with it.
    inner = [child for process in processes for child in _children(process.pid)]
    for process in [*processes, *inner]:
        process.send(signal.SIGKILL)
    wait_until_dead([*processes, *inner], PATIENCE)


def remove_shim_sockets(run: Path) -> None:
    """Remove the shims' sockets, outside the run folder; each file ``address`` names one."""
    for note in run.glob("containerd/daemon/io.containerd.runtime.v2.task/*/*/address"):
        with contextlib.suppress(OSError):
            Path(note.read_text(encoding="utf-8").removeprefix("unix://")).unlink(missing_ok=True)


def remove_groups(name: str) -> None:
    """Remove the control groups below ``name`` in every hierarchy (version 1 and 2)."""
    root = Path("/sys/fs/cgroup")
    for top in (root / name, *root.glob(f"*/{name}")):
        for folder, _, _ in os.walk(top, topdown=False):
            with contextlib.suppress(OSError):
                Path(folder).rmdir()


def clear(run: Path, data: Path, group: str) -> None:
    """Remove all processes, mounts and files, except the data folder itself."""
    kill_processes(run)
    remove_shim_sockets(run)
    mounts.detach_below((run, data))  # by an engine that was not in a namespace of its own
    remove_groups(group)
    remove(run, run.parent)
