"""The user that builds run as when root calls the builder: an id that no other user has.

A process in a container is a process of the host.  If it ran with the id of an ordinary user
(such as 1000), that user could change the build through ``/proc/PID/root``.
"""

from __future__ import annotations

import grp
import pwd
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from builder.errors import EnvironmentFailure

# Outside of all ranges that distributions and systemd hand out
# (https://systemd.io/UIDS-GIDS: 1879048192 to 2147352575 is unused), and no more than 31 bits.
FIRST = 2_000_000_000
TRIES = 64
_WHOLE = 1 << 32
_NOBODY = 65534


@dataclass(frozen=True)
class Accounts:
    """The places where this host records the ids in use."""

    etc: Path = Path("/etc")
    proc: Path = Path("/proc")

    def is_free(self, number: int) -> bool:
        """Whether no user, group (both by nsswitch.conf(5)) or subordinate range has the number."""
        ranges = (one for name in ("subuid", "subgid") for one in self._ranges(name))
        return not self._is_named(number) and not any(number in one for one in ranges)

    def mapped(self) -> tuple[range, ...]:
        """The user numbers that exist in this user namespace (user_namespaces(7))."""
        lines = (
            (self.proc / "self/uid_map").read_text(encoding="utf-8", errors="replace").splitlines()
        )
        return tuple(
            range(int(inside), int(inside) + int(count))
            for inside, _, count in (line.split() for line in lines)
        )

    @staticmethod
    def _is_named(number: int) -> bool:
        for look_up in (pwd.getpwuid, grp.getgrgid):
            try:
                look_up(number)
            except KeyError:
                continue
            return True
        return False

    def _ranges(self, name: str) -> Iterator[range]:
        """subuid(5), subgid(5): lines of NAME:FIRST:COUNT."""
        try:
            lines = (self.etc / name).read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return
        for line in lines:
            _, _, numbers = line.partition(":")
            first, _, count = numbers.partition(":")
            if first.isdigit() and count.isdigit():
                yield range(int(first), int(first) + int(count))


def unused_number(accounts: Accounts = Accounts()) -> int:
    """A number for the builds' user and group; it stays the same while nobody else uses it.

    Raises EnvironmentFailure if none is free.
    """
    for number in _candidates(accounts.mapped()):
        if accounts.is_free(number):
            return number
    raise EnvironmentFailure(
        "no user number is free for builds",
        f"{TRIES} numbers from {FIRST} on have users or subordinate ranges",
        "run the builder as an ordinary user with a container engine, for instance Podman",
    )


def is_for_builds(number: int, accounts: Accounts = Accounts()) -> bool:
    """Whether builds may have run as that user, and nobody else can."""
    return number in _candidates(accounts.mapped()) and accounts.is_free(number)


def _candidates(mapped: tuple[range, ...]) -> Iterator[int]:
    if any(FIRST + TRIES in one for one in mapped):
        yield from range(FIRST, FIRST + TRIES)
        return
    # A user namespace with few numbers: try from the highest down.
    numbers = (number for one in sorted(mapped, key=max, reverse=True) for number in reversed(one))
    for _, number in zip(range(TRIES), numbers, strict=False):
        if number not in (0, _NOBODY):
            yield number
