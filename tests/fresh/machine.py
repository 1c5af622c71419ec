"""Starts a machine, follows its steps, and tells how it ended."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import msgspec

from builder.errors import BuilderError, EnvironmentFailure, SmokeError, SourceUnreachable
from builder.host.process import require_tool
from tests.fresh import inside, keeper
from tests.fresh.clients import clients
from tests.fresh.plan import CLOUD_IMAGE, PREFIX, Plan, Report, Step, Suite

ROOT = Path(__file__).parents[2]
GIB = 1 << 30
TAIL_LINES = 15


@dataclass(frozen=True)
class Order:
    """What is wanted: a release of Debian, the commands to run, and room on the disk in bytes.

    ``base``: the folder in which the machine's own is made; not one in memory.
    """

    suite: Suite
    commands: tuple[str, ...]
    room: int
    base: Path = Path(tempfile.gettempdir())
    packages: tuple[str, ...] = CLOUD_IMAGE
    checkout: Path = ROOT


def require_host(order: Order) -> None:
    """Raises EnvironmentFailure if no machine of this kind can be made here."""
    for name in ("mmdebstrap", "unshare", "git"):
        require_tool(name, "to make a machine that has nothing yet")
    if os.getuid() != 0:
        raise EnvironmentFailure(
            "a fresh machine cannot be made",
            "its namespaces and mounts need root",
            "run it as root: sudo .venv/bin/python -m tests.fresh",
        )
    free = shutil.disk_usage(order.base).free
    if free < order.room:
        raise EnvironmentFailure(
            "a fresh machine cannot be made",
            f"{order.base} has {free / GIB:.1f} GiB free, {order.room / GIB:.0f} are needed",
            "name a folder with more room: TMPDIR=/var/tmp .venv/bin/python -m tests.fresh",
        )


def run(order: Order, output: Path, told: Callable[[Report], None]) -> tuple[Report, ...]:
    """Make the machine and run the commands; every step's end is ``told`` at once.

    What the programs say is appended to ``output``.  Nothing of the machine is left
    afterwards, also if this process is killed.  Raises EnvironmentFailure if it cannot be made
    here, SourceUnreachable if the registry does not serve the suite, and SmokeError with the
    failing command's last lines.
    """
    require_host(order)
    sweep(order.base)
    reports = []
    with _folder(order.base) as (folder, lock), output.open("ab") as said:
        steps = tuple(Step(command) for command in order.commands)
        plan = Plan(
            folder=str(folder),
            checkout=str(order.checkout),
            suite=order.suite,
            packages=order.packages,
            clients=clients(order.suite),
            steps=steps,
        )
        path = folder / "plan.json"
        path.write_bytes(msgspec.json.encode(plan))
        with _kept(path, lock, said) as (process, lines):
            for line in lines:
                report = msgspec.json.decode(line, type=Report)
                reports.append(report)
                told(report)
            status = process.wait()
    _judge(order, reports, status, output)
    return tuple(reports)


@contextmanager
def _folder(base: Path) -> Iterator[tuple[Path, int]]:
    """A folder and its lock: held by this process and the keeper, free when both have ended.

    The keeper removes the folder; if it was killed, it is removed here.
    """
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=base))
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder, lock
    finally:
        os.close(lock)
        if folder.exists():
            keeper.clean(folder, folder.name)


@contextmanager
def _kept(
    plan: Path, lock: int, said: IO[bytes]
) -> Iterator[tuple[subprocess.Popen[bytes], IO[bytes]]]:
    """The keeper and its reports; leaving the block ends the machine and waits for the end."""
    life_out, life_in = os.pipe()
    report_out, report_in = os.pipe()
    argv = [sys.executable, "-m", "tests.fresh.keeper", plan, str(life_out), str(report_in)]
    # The machine's programs could not write what they have covered to where this run keeps it.
    env = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    with os.fdopen(life_in, "wb") as lifeline, os.fdopen(report_out, "rb") as lines:
        process = subprocess.Popen(
            [str(word) for word in argv],
            cwd=ROOT,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            pass_fds=(life_out, report_in, lock),
            start_new_session=True,
        )
        os.close(life_out)
        os.close(report_in)
        try:
            yield process, lines
        finally:
            lifeline.close()
            process.wait()


def sweep(base: Path) -> None:
    """Remove what machines left whose keeper was killed too."""
    for folder in base.glob(f"{PREFIX}*"):
        try:
            lock = os.open(folder / "lock", os.O_RDWR)
        except OSError:  # somebody else's, or gone meanwhile
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        else:
            keeper.clean(folder, folder.name)
        finally:
            os.close(lock)


def _judge(order: Order, reports: Sequence[Report], status: int, output: Path) -> None:
    failed = next((report for report in reports if report.status != 0), None)
    if failed is None:
        if status != 0 or len(reports) < len(order.commands):
            raise EnvironmentFailure(
                "the fresh machine ended before its last step",
                _tail(output),
                f"read {output}",
                log=output,
            )
        return
    raise _failure(order, failed, output)


def _failure(order: Order, failed: Report, output: Path) -> BuilderError:
    if failed.step == inside.TREE:
        return SourceUnreachable(
            f"Debian {order.suite} could not be made from this machine's package registry",
            _tail(output),
            "see what the registry serves: apt-get update",
            log=output,
        )
    return SmokeError(
        f"`{failed.step}` failed with status {failed.status} on a fresh Debian {order.suite}",
        _tail(output),
        f"run it by hand: .venv/bin/python -m tests.fresh --suite {order.suite}",
        log=output,
    )


def _tail(output: Path) -> str:
    lines = output.read_text(errors="replace").splitlines()
    return "\n".join(lines[-TAIL_LINES:])
