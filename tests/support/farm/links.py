"""Machines that only a link connects: network namespaces, and pairs of virtual interfaces.

No interface and no address of them is ever in the host's own namespace.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from tests.world import World

ESTABLISHED = "01"  # include/net/tcp_states.h
_WAIT = 60.0


@dataclass(frozen=True)
class LinkedMachine:
    """A network namespace, held by a process.  ``address``: at its one link, if it is a worker."""

    holder: int
    address: str = ""

    def inside(self, *words: str) -> tuple[str, ...]:
        """The command that runs another one there."""
        return ("nsenter", f"--net=/proc/{self.holder}/ns/net", *words)

    def world(self, world: World) -> World:
        """The same project and cache, with its commands run there."""
        return replace(world, program=self.inside(*map(str, world.program)))

    def pull_the_cable(self) -> None:
        """Let its packets, and those to it, get lost from now on; nobody is told."""
        _run(*self.inside("ip", "link", "set", "e0", "down"))

    def wait_for_work(self, port: int, seconds: float) -> None:
        """Until one connection to its port has been open for so long."""
        deadline, since = time.monotonic() + _WAIT, time.monotonic()
        while time.monotonic() - since < seconds:
            assert time.monotonic() < deadline, "no job has come"
            if not self._is_busy(port):
                since = time.monotonic()
            time.sleep(0.05)

    def _is_busy(self, port: int) -> bool:
        lines = Path(f"/proc/{self.holder}/net/tcp").read_text().splitlines()[1:]
        fields = (line.split() for line in lines)
        return any(one[1].endswith(f":{port:04X}") and one[3] == ESTABLISHED for one in fields)


@contextmanager
def star(points: int) -> Iterator[tuple[LinkedMachine, list[LinkedMachine]]]:
    """A machine, and others with a link each to it, until the block ends."""
    with ExitStack() as stack:
        middle = LinkedMachine(stack.enter_context(_namespace()))
        made = []
        for number in range(points):
            ours, theirs = (f"198.51.100.{4 * number + host}" for host in (1, 2))
            other = LinkedMachine(stack.enter_context(_namespace()), theirs)
            ends = (f"w{number}", str(middle.holder), "e0", str(other.holder))
            words = "link add name {} netns {} type veth peer name {} netns {}".format(*ends)
            _run("ip", *words.split())
            for machine, name, address in ((middle, ends[0], ours), (other, "e0", theirs)):
                _run(*machine.inside("ip", "address", "add", f"{address}/30", "dev", name))
                _run(*machine.inside("ip", "link", "set", name, "up"))
            made.append(other)
        yield middle, made


@contextmanager
def _namespace() -> Iterator[int]:
    """The process id of whoever holds a new namespace, until the block ends."""
    with subprocess.Popen(["unshare", "--net", "sleep", "infinity"]) as holder:
        try:
            deadline = time.monotonic() + _WAIT
            own = Path("/proc/self/ns/net").readlink()
            while Path(f"/proc/{holder.pid}/ns/net").readlink() == own:
                assert time.monotonic() < deadline
                time.sleep(0.01)
            _run("nsenter", f"--net=/proc/{holder.pid}/ns/net", "ip", "link", "set", "lo", "up")
            yield holder.pid
        finally:
            holder.kill()


def _run(*words: str) -> None:
    subprocess.run(words, check=True, stdin=subprocess.DEVNULL)
