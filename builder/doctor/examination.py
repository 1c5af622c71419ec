"""The whole examination, and the fixes that commands can make."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from builder.base.model import Base
from builder.console import Console
from builder.doctor import base, engine, machine, outside, tools
from builder.doctor.finding import Finding, Status
from builder.errors import EnvironmentFailure
from builder.host import process
from builder.host.tools import Tool

Ask = Callable[[str], bool]
NO_QUESTIONS = {"DEBIAN_FRONTEND": "noninteractive"}


@dataclass(frozen=True)
class Scope:
    """What to examine.

    ``dated``: files that must not be newer than the clock.  ``sources``: names and locations of a
    profile's sources, requested through ``probe``.  ``base``: the base to build in.
    ``vsyscall``: whether it needs the vsyscall page.  ``date``: a server's Date header.
    """

    cache: Path
    artifacts: Path
    dated: tuple[Path, ...] = ()
    sources: Sequence[tuple[str, Sequence[str]]] = ()
    probe: outside.Probe | None = None
    kvm_probe: machine.KvmProbe | None = None
    fence_probe: tools.FenceProbe | None = None
    vsyscall: bool = False
    base: Base | None = None
    date: str | None = None
    tools: tuple[Tool, ...] = ()


def examine(scope: Scope) -> tuple[Finding, ...]:
    """Everything that a build needs from this host; nothing is started or changed."""
    found = [
        tools.examine_python(),
        *tools.examine_tools(scope.tools),
        *(tools.examine_fence(scope.fence_probe) if scope.fence_probe else ()),
        *engine.examine_configuration(),
        engine.examine_engine(),
        *base.examine_base(scope.base),
        machine.examine_kvm(probe=scope.kvm_probe),
        machine.examine_processors(),
        machine.examine_memory(),
        machine.examine_disk("disk: cache", scope.cache, machine.LEAST_CACHE, machine.GOOD_CACHE),
        machine.examine_disk(
            "disk: artifacts", scope.artifacts, machine.LEAST_ARTIFACTS, machine.GOOD_ARTIFACTS
        ),
        machine.examine_vsyscall(needed=scope.vsyscall),
        machine.examine_entropy(),
        outside.examine_clock(outside.newest(scope.dated), remote_date=scope.date),
    ]
    if scope.probe is not None:
        found += outside.examine_sources(scope.sources, scope.probe)
    return tuple(found)


def fix(findings: Sequence[Finding], ask: Ask, console: Console, *, user: int | None = None) -> int:
    """Run the commands that fix what is not in order; returns how many were run.

    ``ask`` gets each command line and returns whether to run it.  A user other than root runs
    them with sudo.  Raises EnvironmentFailure if one fails.
    """
    wanted = dict.fromkeys(
        one.command for one in findings if one.status is not Status.OK and one.command is not None
    )
    root = (os.getuid() if user is None else user) == 0
    count = 0
    for command in wanted:
        argv = command if root else ("sudo", *command)
        line = " ".join(argv)
        if not ask(line):
            continue
        console.say(f"doctor: {line}")
        done = process.run(argv, env=NO_QUESTIONS)
        if not done.ok:
            raise EnvironmentFailure(
                f"doctor could not fix this: {line}", done.complaint, "run it by hand"
            )
        count += 1
    return count
