"""One host that runs: scripts go in, their status and output come out."""

from __future__ import annotations

import asyncio
import base64
import itertools
from collections.abc import Awaitable
from dataclasses import dataclass
from pathlib import Path

from builder.errors import SmokeError
from builder.vm import machine
from builder.vm.machine import Machine, MachineRun

PORT = "org.lvs-fullnat.lab"
HINT = "its console's log has the whole story"


@dataclass(frozen=True)
class Outcome:
    """A script's exit status, and what it wrote."""

    status: int
    output: str


class LabHost:
    """A guest with the lab's agent (``guest/agent`` describes the protocol)."""

    def __init__(self, name: str, console: Path) -> None:
        self.name = name
        self.console = console
        self.release = ""
        self.uptime_ready = 0.0
        self._heard = b""
        self._ready = asyncio.Event()
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Outcome]] = {}
        self._machine: Machine | None = None

    def attach(self, running: Machine) -> None:
        self._machine = running

    @property
    def machine(self) -> Machine:
        if self._machine is None:
            raise RuntimeError(f"{self.name} was not powered on")
        return self._machine

    def hear(self, data: bytes, now: float) -> None:
        """Take what arrived on the channel, ``now`` seconds after power-on."""
        self._heard += data
        *lines, self._heard = self._heard.split(b"\n")
        for line in lines:
            self._understand(line.decode(errors="replace").split(), now)

    def _understand(self, words: list[str], now: float) -> None:
        match words:
            case ["ready", release, _]:
                self.release, self.uptime_ready = release, now
                self._ready.set()
            case ["done", number, status, *rest]:
                waiting = self._waiting.pop(int(number), None)
                if waiting is not None and not waiting.done():
                    text = base64.b64decode("".join(rest)).decode(errors="replace")
                    waiting.set_result(Outcome(int(status), text))

    async def ready(self, seconds: float) -> None:
        """Wait until its agent reports ready; raises SmokeError if it does not."""
        await self._await(self._ready.wait(), seconds, "did not boot")

    async def run(self, script: str, seconds: float) -> Outcome:
        """The outcome of a script; raises SmokeError if the host dies or stays silent."""
        number = next(self._numbers)
        waiting: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiting[number] = waiting
        await self.machine.send(b"run %d %s\n" % (number, base64.b64encode(script.encode())))
        await self._await(waiting, seconds, f"did not finish in time: {script[:200]!r}")
        return waiting.result()

    async def must(self, script: str, seconds: float) -> str:
        """The output of a script; raises SmokeError if its status is not 0."""
        done = await self.run(script, seconds)
        if done.status != 0:
            raise SmokeError(
                f"{self.name} could not be configured (status {done.status})",
                f"{done.output.strip()}\nthe script was:\n{script}",
                HINT,
                log=self.console,
            )
        return done.output

    async def _await(self, what: Awaitable[object], seconds: float, otherwise: str) -> None:
        asked = asyncio.ensure_future(what)
        ended = self.machine.ended
        await asyncio.wait((asked, ended), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if asked.done():
            await asked
            return
        asked.cancel()
        if ended.done():
            raise self.death(ended.result())
        raise self._error(f"{self.name} {otherwise}", f"within {seconds:.0f} s")

    def death(self, run: MachineRun) -> SmokeError:
        """The error for a machine that ended during the experiment."""
        return self._error(f"{self.name} went away: {run.end.value}", run.detail)

    def _error(self, what: str, detail: str) -> SmokeError:
        console = machine.tail(self.console)
        shown = f"its console's last lines:\n{console}" if console else "its console stayed empty"
        return SmokeError(what, f"{detail}\n{shown}".strip(), HINT, log=self.console)
