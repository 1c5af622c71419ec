"""The specification of a container: plain values, nothing of Docker."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import msgspec


class Mount(msgspec.Struct, frozen=True):
    """A file or folder of the host, seen in the container at ``target`` (absolute)."""

    source: Path
    target: str
    writable: bool = False


class ContainerSpec(msgspec.Struct, frozen=True):
    """One run of one program.

    ``memory``: bytes, ``pids``: number of processes; None means no limit.  ``tmpfs``:
    pairs of an absolute path and mount options (``size=64m,mode=1777``).  ``nofile``: open
    files a process may have, soft and hard limit (old rpm closes every possible one, so not
    millions).  ``root``: run as the container's root, with the engine's default privileges; only
    for making a base, builds have no privileges.  ``read_only``: nothing but mounts and ``tmpfs``
    can be written to.  ``log_bytes``: of its output that are kept; None means all.
    """

    image: str
    argv: tuple[str, ...]
    mounts: tuple[Mount, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    workdir: str = "/"
    memory: int | None = None
    pids: int | None = None
    tmpfs: tuple[tuple[str, str], ...] = ()
    nofile: tuple[int, int] = (4096, 4096)
    root: bool = False
    read_only: bool = False
    log_bytes: int | None = None


def describe_status(status: int) -> str:
    """An exit status in words, as shells and init programs use the numbers.

    126 and 127 are the shell's (POSIX.1-2017, XCU 2.8.2); above 128 a signal ended it.
    """
    if status == 126:
        return "exit status 126: the program was found but cannot be executed"
    if status == 127:
        return "exit status 127: a program was not found in the container"
    if 128 < status < 128 + signal.NSIG:
        try:
            return f"ended by {signal.Signals(status - 128).name} (exit status {status})"
        except ValueError:
            pass
    return f"exit status {status}"


class RunContainer(Protocol):
    """Runs a container, returns its exit status.  ``see`` gets each line that goes to ``log``."""

    def __call__(
        self, spec: ContainerSpec, log: Path, see: Callable[[str], None] | None = None
    ) -> int: ...
