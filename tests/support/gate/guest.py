"""Runs UML guests: in a network, PID and mount namespace of their own, and never for ever."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from builder.errors import EnvironmentFailure
from builder.host import process
from tests.support.gate import background, console
from tests.support.gate.kernel import GateKernel

MEMORY = "640M"
# A guest sees this when it asks for the time: waiting costs nothing (arch/um/kernel/time.c).
CLOCK = "time-travel"
# The same, and computing takes no time either: whoever sleeps a moment finds everybody else idle,
# however busy the host is.  A loop that waits for a time in it would never end.
TIMELESS = "time-travel=inf-cpu"
POLL_SECONDS = 0.2


@dataclass(frozen=True)
class Plan:
    """What a guest is to run: ``names`` of scripts in ``/gate``, and variables for them.

    ``seconds``: of the host's clock, for all of it; ``limit``: of the guest's, for each.
    ``clock``: ``CLOCK`` or ``TIMELESS``.
    """

    names: Sequence[str]
    variables: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 300.0
    limit: int = 600
    clock: str = CLOCK

    def words(self) -> list[str]:
        """The plan as the kernel passes it on to its first process: NAME=VALUE."""
        given = {"GATE_RUN": ",".join(self.names), "GATE_LIMIT": str(self.limit)}
        return [f"{name}={value}" for name, value in {**given, **self.variables}.items()]


def run(kernel: GateKernel, root: Path, plan: Plan, folder: Path) -> console.Heard:
    """Boot a guest on ``root``, wait for its end, and judge its console.

    The console is kept in ``folder`` as ``console.log``.  Nothing of the guest
    outlives this call, however it ends: UML's processes are in a PID namespace whose end is
    theirs, and that ends with this process (``builder.host.process``).
    """
    log = folder / "console.log"
    kernel_line = (*_arguments(root, folder, plan.clock), *plan.words())
    argv = background.words(("unshare", "--net", kernel.program, *kernel_line))
    with (
        log.open("wb") as stream,
        process.start(
            argv, stdout=stream, stderr=stream, own_namespaces=True, env={"TMPDIR": str(folder)}
        ) as guest,
    ):
        until = time.monotonic() + plan.seconds
        while guest.poll() is None and time.monotonic() < until:
            time.sleep(POLL_SECONDS)
    heard = console.read(log.read_text(encoding="utf-8", errors="replace"))
    if not heard.outcomes and not heard.reports:
        raise EnvironmentFailure(
            "the gate's guest did not start", _last(log), f"read {log}", log=log
        )
    return heard


def _arguments(root: Path, folder: Path, clock: str) -> list[str]:
    return [
        f"mem={MEMORY}",
        "root=/dev/root",
        "rootfstype=hostfs",
        f"rootflags={root}",
        "ro",
        "init=/init",
        f"uml_dir={folder}/uml/",
        "umid=gate",
        clock,
        "con=null",
        "con0=null,fd:1",
        "ssl=null",
        "printk.devkmsg=on",
        "panic=-1",
        "oops=panic",
        "random.trust_cpu=on",
    ]


def _last(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(lines[-5:]) or "it said nothing"
