"""A fresh machine touches nothing of this one, and leaves nothing, whoever is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from builder.errors import EnvironmentFailure, SmokeError, SourceUnreachable
from tests.fresh import machine
from tests.fresh.plan import PREFIX, Report

pytestmark = [
    pytest.mark.registry,
    pytest.mark.skipif(os.geteuid() != 0, reason="mounts and namespaces need root"),
]
ROOM = 2 * machine.GIB
# Groups of its own, at the top of everything that it sees, in which others can be made.
CONTROL_GROUPS = (
    "! grep -v ':/$' /proc/self/cgroup | grep -v ':/init$' && mount | grep -q ' type cgroup' &&"
    " for top in $(mount | awk '/ type cgroup/ { print $3 }'); do"
    " mkdir $top/mine && rmdir $top/mine || exit 1; done"
)
STARTER = """
import sys
from pathlib import Path
from tests.fresh import machine
order = machine.Order("bookworm", (sys.argv[2],), 0, base=Path(sys.argv[1]))
machine.run(order, Path(sys.argv[1]) / "output", print)
"""


def order(base: Path, *commands: str) -> machine.Order:
    return machine.Order("bookworm", commands, ROOM, base=base)


@dataclass(frozen=True)
class Started:
    """A machine in a program of its own, and the namespace of its processes."""

    starter: subprocess.Popen[bytes]
    base: Path
    keeper: int
    namespace: Path

    @property
    def folder(self) -> Path:
        (found,) = folders(self.base)
        return found

    @property
    def processes(self) -> list[int]:
        return [pid for pid in pids() if space(pid) == self.namespace]


def folders(base: Path) -> list[Path]:
    return list(base.glob(f"{PREFIX}*"))


def pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def space(pid: int) -> Path | None:
    try:
        return Path(f"/proc/{pid}/ns/pid").readlink()
    except OSError:
        return None


def argv(pid: int) -> str:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return ""
    return words.decode(errors="replace").replace("\0", " ")


def until(happens: Callable[[], object], seconds: float = 60) -> bool:
    deadline = time.monotonic() + seconds
    while not happens():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def groups(name: str) -> list[Path]:
    return list(Path("/sys/fs/cgroup").rglob(name))


def mounts(word: str) -> list[str]:
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return [line for line in lines if word in line]


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Started]:
    """A machine whose root is being made."""
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTER, tmp_path, "sleep 1000"], cwd=machine.ROOT
    )
    found: list[int] = []

    def see(word: str) -> bool:
        found[:] = [pid for pid in pids() if str(tmp_path) in argv(pid) and word in argv(pid)]
        return bool(found)

    try:
        assert until(lambda: see("tests.fresh.keeper"))
        keeper = found[0]
        assert until(lambda: see("mmdebstrap"))
        namespace = space(found[-1])
        assert namespace is not None
        assert namespace != space(os.getpid())
        yield Started(starter, tmp_path, keeper, namespace)
    finally:
        starter.kill()
        starter.wait()


def test_a_killed_starter_leaves_nothing(started: Started) -> None:
    root = started.folder / "root"
    assert until((root / "proc").exists)
    name = started.folder.name
    assert groups(name)
    started.starter.send_signal(signal.SIGKILL)
    assert until(lambda: not folders(started.base))
    assert started.processes == []
    assert groups(name) == []
    assert mounts(name) == []


@pytest.mark.parametrize("starter_too", [False, True])
def test_a_killed_keeper_takes_the_machine_along(started: Started, starter_too: bool) -> None:
    name = started.folder.name
    if starter_too:
        started.starter.send_signal(signal.SIGSTOP)
    os.kill(started.keeper, signal.SIGKILL)
    assert until(lambda: not started.processes)
    assert mounts(name) == []
    if starter_too:
        started.starter.kill()
        started.starter.wait()
        assert groups(name)
        machine.sweep(started.base)  # what the next start does first
    started.starter.wait()
    assert folders(started.base) == []
    assert groups(name) == []


def test_commands_see_nothing_of_this_machine_and_a_failure_is_told(tmp_path: Path) -> None:
    secret = tmp_path / "of-this-machine"
    secret.write_text("not for others")
    reports: list[Report] = []
    commands = (
        'test "$(id -u) $(hostname)" = "0 fresh" && ! command -v git',
        f"test ! -e {secret} && test ! -e .venv && test -x bootstrap",
        f"! mount | grep {tmp_path}",
        CONTROL_GROUPS,
        "setsid sleep 1000 & exit 0",
        "echo the reason; exit 3",
        "touch /not-run",
    )
    with pytest.raises(SmokeError) as failure:
        machine.run(order(tmp_path, *commands), tmp_path / "output", reports.append)
    assert "`echo the reason; exit 3` failed with status 3" in failure.value.what
    assert "the reason" in failure.value.cause
    assert [report.status for report in reports] == [0, 0, 0, 0, 0, 0, 0, 3]
    assert [report.left for report in reports[-3:-1]] == [(), ("sleep 1000",)]
    assert folders(tmp_path) == []
    assert mounts(str(tmp_path)) == []


def test_what_the_registry_does_not_serve_is_told_with_its_answer(tmp_path: Path) -> None:
    wanted = replace(order(tmp_path, "true"), packages=("no-such-package",))
    with pytest.raises(SourceUnreachable) as failure:
        machine.run(wanted, tmp_path / "output", lambda report: None)
    assert "Debian bookworm could not be made" in failure.value.what
    assert "Unable to locate package no-such-package" in failure.value.cause
    assert folders(tmp_path) == []


def test_no_room_is_told_before_anything_is_made(tmp_path: Path) -> None:
    wanted = machine.Order("bookworm", ("true",), 1 << 60, base=tmp_path)
    with pytest.raises(EnvironmentFailure, match="GiB free"):
        machine.run(wanted, tmp_path / "output", lambda report: None)
    assert list(tmp_path.iterdir()) == []
