"""Make a base's root file system from Debian packages."""

from __future__ import annotations

import contextlib
import re
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from builder.base import snapshot
from builder.base.method import Bootstrapped, Order, measure
from builder.base.mmdebstrap import AVAILABLE, STATUS, apt_sources, command
from builder.base.model import Base, Kind
from builder.base.packages import BasePackage, of_debian
from builder.engine.output import OutputLog
from builder.errors import (
    BuilderError,
    BuildError,
    EnvironmentFailure,
    SourceUnreachable,
    VerificationError,
)
from builder.host import removal
from builder.host.process import end_group, require_tool, start
from builder.host.space import tells_full

_UNSIGNED = re.compile(
    r"NO_PUBKEY|BADSIG|EXPKEYSIG|REVKEYSIG|is not signed|signatures were invalid"
    r"|signatures couldn.t be verified|Hash Sum mismatch|unexpected size|cannot be authenticated"
)
_UNREACHABLE = re.compile(
    r"Could not resolve|Failed to fetch|Could not connect|Connection (timed out|refused|failed)"
)
_COMPLAINT = re.compile(r"^(E:|W: .*(GPG|sign)|Err:|error:)", re.MULTILINE)
SHOWN_LINES = 6


def bootstrap(order: Order) -> Bootstrapped:
    """Write the ordered root file system; same packages, same bytes.

    apt verifies the packages.  Raises VerificationError if that fails, SourceUnreachable,
    EnvironmentFailure (mmdebstrap missing, disk full) or BuildError.
    """
    base, kind, target, log = order.base, order.kind, order.target, order.log
    program = require_tool("mmdebstrap")
    origin = ", from the snapshot that is named" if base.settings.snapshot else ""
    order.console.say(
        f"Bootstrapping the {kind} root of {base.settings.name}: "
        f"{len(base.packages(kind))} packages and what they need{origin}"
    )
    began = time.monotonic()
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.with_name(f"{target.name}.partial")
    before = log.stat().st_size if log.exists() else 0
    # Beside the target: /tmp may be a small file system in memory.
    with removal.scratch(target.parent, "root-") as scratch:
        try:
            ended = _run(
                command(base, kind, program, aside, scratch, patience=order.patience),
                apt_sources(base),
                log,
                {"TMPDIR": str(scratch), "SOURCE_DATE_EPOCH": str(base.settings.epoch)},
                order.patience.total,
            )
            if ended != 0:
                raise _failure(base, kind, log, before)
            packages = _packages(scratch)
            aside.rename(target)
        finally:
            aside.unlink(missing_ok=True)
    return measure(order, packages, began)


def _run(argv: list[str], words: str, log: Path, env: dict[str, str], total: float) -> int:
    """Run a program with ``words`` on its standard input; return its exit status.

    Its output is written to ``log`` here, because the program itself could not report a full
    disk there.  Raises EnvironmentFailure if the disk is full, SourceUnreachable after ``total``
    seconds.
    """
    with (
        OutputLog(log, None) as output,
        start(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=env,
            own_namespaces=True,
            many_users=True,
        ) as process,
        _ended_after(process, total) as late,
    ):
        if process.stdin:
            with contextlib.suppress(BrokenPipeError), process.stdin:
                process.stdin.write(words.encode())
        for line in process.stdout or ():
            output.write(line, None)
        status = process.wait()
    if late.is_set():
        raise SourceUnreachable(
            f"{argv[0]} did not end within {total / 60:.0f} min",
            "its mirror sends too slowly, or it hangs",
            "try again, or name a nearer mirror below /etc/apt",
            log=log,
        )
    return status


@contextlib.contextmanager
def _ended_after(process: subprocess.Popen[bytes], seconds: float) -> Iterator[threading.Event]:
    """End a program after ``seconds``; the event is set if that happened."""
    late = threading.Event()

    def end() -> None:
        late.set()
        end_group(process)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield late
    finally:
        timer.cancel()


def _packages(scratch: Path) -> tuple[BasePackage, ...]:
    status = (scratch / STATUS).read_text(encoding="utf-8")
    with (scratch / AVAILABLE).open(encoding="utf-8") as lists:
        return of_debian(status, lists)


def _failure(base: Base, kind: Kind, log: Path, before: int) -> BuilderError:
    with log.open("rb") as handle:
        handle.seek(before)
        words = handle.read().decode(errors="replace")
    told = [line for line in words.splitlines() if _COMPLAINT.search(line) or tells_full(line)]
    cause = "\n".join((told or words.splitlines())[-SHOWN_LINES:])
    what = f"the {kind} root of {base.settings.name} could not be made"
    if tells_full(words):
        return EnvironmentFailure(what, cause, "free space on the cache's disk", log=log)
    if _UNSIGNED.search(words):
        return VerificationError(
            what, cause, "run apt-get update and see what it says of this source", log=log
        )
    if _UNREACHABLE.search(words):
        own = "check the network and the sources below /etc/apt"
        hint = snapshot.OTHER if base.settings.snapshot else own
        return SourceUnreachable(what, cause, hint, log=log)
    return BuildError(what, cause, f"check the package lists of {base.settings.name}", log=log)
