"""The record of the long tests: what CI cannot run is run by people, who commit this file.

They take hours, so that they may be run in several parts: each test has its last run on record.
"""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from builder.digest import decode
from builder.host import process
from builder.host.whole import write_whole
from builder.selftest.outcome import CaseOutcome

MIB_PER_KIB = 1 / 1024


class MachineRecord(msgspec.Struct, frozen=True):
    """What the tests ran on; ``memory`` in MiB."""

    processors: int
    model: str
    memory: int
    kernel: str
    kvm: bool


class CommitState(msgspec.Struct, frozen=True):
    """What was tested; ``clean``: no file differed from it."""

    commit: str
    clean: bool


class Record(msgspec.Struct, frozen=True):
    """One run: ``date`` of its start (RFC 3339, UTC), ``minutes`` altogether.

    ``passed``: every test, and every limit of minutes.
    """

    tested: CommitState
    date: str
    machine: MachineRecord
    minutes: float
    passed: bool
    tests: tuple[CaseOutcome, ...]


class LongRecord(msgspec.Struct, frozen=True):
    """The last run of every test, the newest run first.  ``passed``: all tests of all runs."""

    passed: bool
    runs: tuple[Record, ...]


def this_machine() -> MachineRecord:
    """The machine of this process (proc(5): cpuinfo, meminfo)."""
    model = re.search(r"^model name\s*:\s*(.*)$", _read("/proc/cpuinfo"), re.MULTILINE)
    memory = re.search(r"^MemTotal:\s*(\d+) kB$", _read("/proc/meminfo"), re.MULTILINE)
    return MachineRecord(
        processors=len(os.sched_getaffinity(0)),
        model=model[1] if model else platform.machine(),
        memory=int(int(memory[1]) * MIB_PER_KIB) if memory else 0,
        kernel=platform.release(),
        kvm=Path("/dev/kvm").exists(),
    )


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def checked_out(root: Path, result: Path) -> CommitState:
    """The commit of the checkout, and whether anything but the result's file differs from it."""
    head = process.run(["git", "rev-parse", "HEAD"], cwd=root).text.strip()
    changed = process.run(["git", "status", "--porcelain"], cwd=root).text.splitlines()
    name = result.relative_to(root).as_posix()
    return CommitState(head, all(line[3:] == name for line in changed))


def make(
    tested: CommitState,
    begun: datetime,
    seconds: float,
    outcomes: Sequence[CaseOutcome],
    *,
    passed: bool,
) -> Record:
    """The record of a run that has ended."""
    return Record(
        tested=tested,
        date=begun.astimezone(UTC).isoformat(timespec="seconds"),
        machine=this_machine(),
        minutes=round(seconds / 60, 1),
        passed=passed,
        tests=tuple(outcomes),
    )


def add(run: Record, path: Path, *, whole: bool) -> None:
    """Put a run into the file at ``path``, which is written whole or not at all.

    ``whole``: it is of all tests, and nothing of earlier runs is kept.  Otherwise these keep the
    tests that it did not run.
    """
    earlier = () if whole else _without(_read_runs(path), {one.test for one in run.tests})
    runs = (run, *earlier)
    made = LongRecord(all(_all_passed(one) for one in runs), runs)
    write_whole(path, msgspec.json.format(msgspec.json.encode(made), indent=2) + b"\n")


def _read_runs(path: Path) -> tuple[Record, ...]:
    """The runs in a file; none if there is no file, or if it has another form."""
    try:
        return decode(path.read_bytes(), LongRecord).runs
    except (FileNotFoundError, msgspec.DecodeError):
        return ()


def _without(runs: Iterable[Record], tests: Collection[str]) -> tuple[Record, ...]:
    """Runs without these tests; one that has no other is left out."""
    kept = (
        msgspec.structs.replace(run, tests=tuple(one for one in run.tests if one.test not in tests))
        for run in runs
    )
    return tuple(run for run in kept if run.tests)


def _all_passed(run: Record) -> bool:
    return all(one.verdict != "failed" for one in run.tests)
