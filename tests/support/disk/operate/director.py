"""A director that keeps what is done to it, over reboots, and somebody who types at it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

from builder.host import process
from builder.lab.hosts.host import PORT, LabHost
from builder.smoke import payload
from builder.smoke.payload import SERIAL, Payload
from builder.vm import machine
from builder.vm.hardware import Accelerator, Disk, Hardware, Nic
from builder.vm.machine import End, TimeLimits
from tests.support.disk.operate.page import Block

HERE = Path(__file__).parent
# One processor, as in tests/support/vm/image.py.
TYPED = Payload((HERE / "run", HERE / "agent"), (), frozenset(), cpus=1)
LIMITS = TimeLimits(total=900.0, silence=900.0)
BOOT = 300.0
ANSWER = 120.0
"""Seconds, on an emulated processor."""


@dataclass(frozen=True)
class Typed:
    """What a block came to."""

    block: Block
    status: int
    output: str


class Director:
    """The image with a disk of its own above it.  ``folder`` gets disk, payload and consoles."""

    def __init__(self, image: Path, release: str, accelerator: Accelerator, folder: Path) -> None:
        self._accelerator = accelerator
        self._folder = folder
        self._disk = folder / "director.qcow2"
        kind = ("-f", "qcow2", "-F", "qcow2")
        words = ("qemu-img", "create", "-q", *kind, "-b", image.resolve(), self._disk)
        made = process.run(words, timeout=60)
        assert made.ok, made.complaint
        self._payload = payload.make(folder / "typed.img", release, TYPED)

    def follow(self, blocks: tuple[Block, ...]) -> Iterator[Typed]:
        """Type block after block to the first that fails; a reboot boots the machine again."""
        for number, part in enumerate(_parts(blocks)):
            typed = asyncio.run(self._boot(number, part))
            yield from typed
            if typed[-1].status != 0:
                return

    async def _boot(self, number: int, part: tuple[Block, ...]) -> list[Typed]:
        typed: list[Typed] = []
        async with self._powered(self._folder / f"console{number}.log") as host:
            await host.ready(BOOT)
            for block in part:
                if block.reboots:
                    typed.append(Typed(block, await self._reboot(host, block), ""))
                    break
                done = await host.run(_on(block), ANSWER)
                typed.append(Typed(block, done.status, done.output))
                if done.status != 0:
                    break
        return typed

    async def _reboot(self, host: LabHost, block: Block) -> int:
        """0 if the machine did reset itself."""
        asking = asyncio.ensure_future(host.run(_on(block), ANSWER))
        ended = await asyncio.wait_for(asyncio.shield(host.machine.ended), ANSWER)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        return 0 if ended.end is End.RESET else 1

    @contextlib.asynccontextmanager
    async def _powered(self, console: Path) -> AsyncIterator[LabHost]:
        host = LabHost("director", console)
        with contextlib.ExitStack() as stack:
            pairs = [socket.socketpair() for _ in range(2)]
            ends = [stack.enter_context(end) for pair in pairs for end in pair]
            # first two cards: the director's; the other two: the far ends of the same cables
            order = (ends[0], ends[2], ends[1], ends[3])
            hardware = Hardware(
                self._accelerator,
                (
                    Disk(self._disk, "qcow2", "director", kept=True),
                    Disk(self._payload, "raw", SERIAL, read_only=True),
                ),
                cpus=TYPED.cpus,
                port=PORT,
                nics=tuple(
                    Nic(f"52:54:00:00:00:{number:02x}", (end.fileno(),), None)
                    for number, end in enumerate(order, 1)
                ),
            )
            running = machine.power_on(hardware, LIMITS, console=console, hear=host.hear)
            async with running as powered:
                host.attach(powered)
                yield host


def _parts(blocks: tuple[Block, ...]) -> Iterator[tuple[Block, ...]]:
    part: list[Block] = []
    for block in blocks:
        part.append(block)
        if block.reboots:
            yield tuple(part)
            part = []
    if part:
        yield tuple(part)


def _on(block: Block) -> str:
    """The script as typed on the block's host."""
    if block.where == "director":
        return block.script
    return f"ip netns exec {block.where} sh -e <<'TYPED'\n{block.script}TYPED\n"
