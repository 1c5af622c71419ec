"""Virtual machines under QEMU: started, watched and always ended.

The control channel (QMP) and the guest's report channel are socket pairs handed to QEMU as
open files: no path that could be too long, nothing left on disk.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import AsyncIterator, Callable, Collection
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from qemu.qmp import QMPClient

from builder.errors import EnvironmentFailure
from builder.host import process
from builder.vm.hardware import AGREED, AGREED_STATUS, Hardware, command
from builder.vm.monitor import attached

CONSOLE_PANIC = (b"Kernel panic - not syncing", b"end Kernel panic")
POLL_SECONDS = 0.2
LAST_SECONDS = 1.0  # for what QEMU has written before it ended
TAIL_LINES = 25


class End(Enum):
    """Why a machine stopped running."""

    AGREED = "ended as agreed"
    STATUS = "ended with an unexpected status"
    PANIC = "kernel panic"
    POWER_OFF = "powered off before a verdict"
    RESET = "reset itself"
    SILENT = "silent"
    TIMEOUT = "out of time"
    EMULATOR = "QEMU failed"


@dataclass(frozen=True)
class TimeLimits:
    """``total``: seconds from power-on; ``silence``: seconds without a word from the guest."""

    total: float
    silence: float


@dataclass(frozen=True)
class MachineRun:
    """How it went.  ``status`` is QEMU's exit status where it ended by itself."""

    end: End
    detail: str
    status: int | None
    seconds: float
    console: Path


def tail(console: Path, lines: int = TAIL_LINES) -> str:
    """The console's last lines, without control characters."""
    try:
        data = console.read_bytes()[-64 * 1024 :]
    except OSError:
        return ""
    text = data.decode(errors="replace").replace("\r", "")
    clean = ("".join(c for c in line if c.isprintable() or c == "\t") for line in text.split("\n"))
    return "\n".join([line for line in clean if line.strip()][-lines:])


class _Watch:
    """Everything that is known about a running machine."""

    def __init__(
        self,
        started: float,
        limits: TimeLimits,
        console: Path,
        hear: Callable[[bytes, float], None],
    ) -> None:
        self.started = started
        self.limits = limits
        self.console = console
        self.hear = hear
        self.heard = started
        self.panic = ""
        self.shutdown = ""
        self._console_size = 0

    async def follow_events(self, client: QMPClient) -> None:
        async for message in client.events:
            event: dict[str, Any] = dict(message)
            if event["event"] == "GUEST_PANICKED":
                self.panic = "the guest's kernel reported a panic"
            elif event["event"] == "SHUTDOWN":
                self.shutdown = str(event["data"].get("reason", ""))

    async def follow_report(self, reader: asyncio.StreamReader) -> None:
        while True:
            try:
                data = await reader.read(65536)
            except ConnectionError:
                return
            if not data:
                return
            self.heard = time.monotonic()
            self.hear(data, self.heard - self.started)

    def look_at_console(self) -> None:
        try:
            with self.console.open("rb") as stream:
                stream.seek(max(0, self._console_size - 64))
                news = stream.read()
                size = stream.tell()
        except OSError:
            return
        if size > self._console_size:
            self._console_size = size
            self.heard = time.monotonic()
            if any(words in news for words in CONSOLE_PANIC):
                self.panic = self.panic or "the console shows a kernel panic"

    def late(self) -> tuple[End, str] | None:
        now = time.monotonic()
        if now - self.started > self.limits.total:
            return End.TIMEOUT, f"no verdict within {self.limits.total:.0f} s"
        if now - self.heard > self.limits.silence:
            return End.SILENT, f"no output for {self.limits.silence:.0f} s"
        return None


async def _wait_for_exit(pid_handle: int) -> None:
    loop = asyncio.get_running_loop()
    gone = loop.create_future()

    def readable() -> None:
        if not gone.done():
            gone.set_result(None)

    loop.add_reader(pid_handle, readable)
    try:
        await gone
    finally:
        loop.remove_reader(pid_handle)


async def _supervise(watch: _Watch, exited: asyncio.Task[None]) -> tuple[End, str] | None:
    """Wait until the machine ends by itself (None) or must be ended; returns why."""
    while not exited.done():
        await asyncio.wait((exited,), timeout=POLL_SECONDS)
        watch.look_at_console()
        if watch.panic:
            # let the rest of the panic's text reach the console
            await asyncio.wait((exited,), timeout=POLL_SECONDS * 2)
            return End.PANIC, watch.panic
        if not exited.done() and (verdict := watch.late()) is not None:
            return verdict
    return None


def _judge(watch: _Watch, status: int) -> tuple[End, str]:
    if watch.panic:
        return End.PANIC, watch.panic
    if status == AGREED_STATUS:
        return End.AGREED, ""
    if status == 0:
        if watch.shutdown == "guest-reset":
            return End.RESET, "the guest reset itself (a triple fault does that, too)"
        return End.POWER_OFF, f"reason that QEMU gives: {watch.shutdown or 'none'}"
    if status > 0 and status & 1 and status != 1:
        return End.STATUS, f"the guest left with {status >> 1:#x}, agreed is {AGREED:#x}"
    return End.EMULATOR, f"exit status {status}"


class Machine:
    """A machine that is running.  ``ended`` is done when it no longer runs."""

    def __init__(self, watch: _Watch, pid: int, speak: asyncio.StreamWriter) -> None:
        self._watch = watch
        self._speak = speak
        self.pid = pid
        self.ended: asyncio.Future[MachineRun]

    async def send(self, data: bytes) -> None:
        """Write on the report channel.  Data that an ending machine does not read is lost."""
        with contextlib.suppress(ConnectionError):
            self._speak.write(data)
            await self._speak.drain()


async def _attend(
    watch: _Watch, machine: Machine, control: socket.socket, reader: asyncio.StreamReader
) -> tuple[End, str] | None:
    handle = os.pidfd_open(machine.pid)
    exited = asyncio.ensure_future(_wait_for_exit(handle))
    tasks: list[asyncio.Task[None]] = [asyncio.ensure_future(watch.follow_report(reader))]
    try:
        async with attached(control, exited) as client:
            if client is not None:
                tasks.append(asyncio.ensure_future(watch.follow_events(client)))
            verdict = await _supervise(watch, exited)
            if verdict is None:
                # QEMU is gone: what it wrote last is still in the sockets
                await asyncio.wait(tasks, timeout=LAST_SECONDS)
            await _end(tasks)
            return verdict
    finally:
        await _end((*tasks, exited))
        os.close(handle)


async def _end(tasks: Collection[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@contextlib.asynccontextmanager
async def power_on(
    hardware: Hardware,
    limits: TimeLimits,
    *,
    console: Path,
    hear: Callable[[bytes, float], None],
) -> AsyncIterator[Machine]:
    """A running machine; it is gone when the block is left.

    ``console`` gets the serial console's text; ``hear`` is called with what arrives on the
    report channel and the seconds since power-on.  Raises EnvironmentFailure if QEMU is
    missing or does not start.
    """
    console.write_bytes(b"")
    complaints = console.with_suffix(".qemu")
    with contextlib.ExitStack() as stack:
        stderr = stack.enter_context(complaints.open("w+b"))
        control, its_control = (stack.enter_context(end) for end in socket.socketpair())
        report, its_report = (stack.enter_context(end) for end in socket.socketpair())
        given = (its_control.fileno(), its_report.fileno())
        words = command(hardware, console, *given)
        wires = tuple(wire for nic in hardware.nics for wire in nic.wires)
        qemu = stack.enter_context(
            process.start(words, stdout=stderr, stderr=stderr, pass_fds=(*given, *wires))
        )
        its_control.close()  # so that we see the end when QEMU's own copies are closed
        its_report.close()
        reader, writer = await asyncio.open_unix_connection(sock=report)
        watch = _Watch(time.monotonic(), limits, console, hear)
        machine = Machine(watch, qemu.pid, writer)

        async def follow() -> MachineRun:
            verdict = await _attend(watch, machine, control, reader)
            status = qemu.wait() if verdict is None else None
            seconds = time.monotonic() - watch.started
            end, detail = verdict if verdict is not None else _judge(watch, status or 0)
            if end is End.EMULATOR:
                said = complaints.read_text(encoding="utf-8", errors="replace").strip()
                detail = "\n".join((detail, said)) if said else detail
            return MachineRun(end, detail, status, seconds, console)

        machine.ended = asyncio.ensure_future(follow())
        try:
            yield machine
        finally:
            machine.ended.cancel()
            await asyncio.gather(machine.ended, return_exceptions=True)
            writer.close()


def boot(
    hardware: Hardware,
    limits: TimeLimits,
    *,
    console: Path,
    hear: Callable[[bytes, float], None],
) -> MachineRun:
    """Run a machine to its end and say how it ended: ``power_on`` for one that is only watched."""

    async def run() -> MachineRun:
        async with power_on(hardware, limits, console=console, hear=hear) as machine:
            return await machine.ended

    return asyncio.run(run())


def require_started(run: MachineRun) -> None:
    """Raise EnvironmentFailure when QEMU itself failed, which says nothing about the guest."""
    if run.end is End.EMULATOR:
        raise EnvironmentFailure(
            "QEMU did not run the virtual machine", run.detail, "run `invoke doctor`"
        )
