"""A unit test that starts an engine or a guest, or asks a registry, fails.

Programs are watched by what is first on PATH, so also those that a child of the test starts;
connections only where the test's own process makes them.  Loaded by ``tests/conftest.py``.
"""

from __future__ import annotations

import ipaddress
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.levels import LEVEL

PROGRAMS = ("dockerd", "qemu-system-x86_64", "mmdebstrap", "apt-get")
SOCKETS = ("docker.sock", "podman.sock")
# Asking a program what it is starts nothing.
SCRIPT = """\
#!/bin/sh
case "$*" in --version | -version | --help) exec {real} "$@" ;; esac
echo "{name} $*" >>"{log}"
echo "a unit test may not run {name} (tests/guard.py)" >&2
exit 97
"""


@dataclass
class Guard:
    """What a unit test did that it may not; ``watching``: whether one runs."""

    folder: Path
    watching: bool = False
    seen: list[str] = field(default_factory=list)

    @property
    def log(self) -> Path:
        return self.folder / "log"

    def write_programs(self) -> None:
        """Put a stand-in for each program that this machine has into the folder."""
        for name in PROGRAMS:
            real = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
            if real is not None:
                path = self.folder / name
                path.write_text(SCRIPT.format(real=real, name=name, log=self.log))
                path.chmod(0o755)

    def hear(self, event: str, given: tuple[Any, ...]) -> None:
        """Listens to the interpreter's audit events (PEP 578)."""
        if self.watching and event == "socket.connect" and _is_outside(given[1]):
            self.seen.append(f"connected to {given[1]}")

    def take(self) -> list[str]:
        """What was seen since the last time."""
        ran = self.log.read_text().splitlines() if self.log.exists() else []
        self.log.unlink(missing_ok=True)
        found, self.seen = [*self.seen, *(f"ran {line}" for line in ran)], []
        return found


def _is_outside(address: object) -> bool:
    if isinstance(address, str | bytes):
        return os.fsdecode(address) in [f"/run/{name}" for name in SOCKETS]
    if not isinstance(address, tuple):
        return False
    try:
        return not ipaddress.ip_address(address[0]).is_loopback
    except ValueError:  # a name
        return bool(address[0] != "localhost")


GUARD = pytest.StashKey[Guard]()


def pytest_configure(config: pytest.Config) -> None:
    folder = tempfile.TemporaryDirectory(prefix="guard-")
    config.add_cleanup(folder.cleanup)
    guard = Guard(Path(folder.name))
    guard.write_programs()
    sys.addaudithook(guard.hear)
    config.stash[GUARD] = guard


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    guard = item.config.stash[GUARD]
    if item.stash[LEVEL] != "unit":
        return (yield)
    path = os.environ["PATH"]
    os.environ["PATH"] = f"{guard.folder}:{path}"
    guard.watching = True
    try:
        return (yield)
    finally:
        guard.watching = False
        os.environ["PATH"] = path


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    result = yield
    if item.stash[LEVEL] == "unit":
        seen = item.config.stash[GUARD].take()
        if seen:
            pytest.fail(f"a unit test {'; '.join(seen)}: move it to tests/small")
    return result
