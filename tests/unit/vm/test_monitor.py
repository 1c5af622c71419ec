"""The control channel ends whole, whenever QEMU goes away."""

from __future__ import annotations

import asyncio
import json
import socket

import pytest
from qemu.qmp import QMPClient

from builder.vm.monitor import attached

GREETING = json.dumps({"QMP": {"version": {}, "capabilities": []}}).encode() + b"\r\n"


async def _meet(said: bytes, before: int, after: int) -> tuple[QMPClient | None, set[str]]:
    """QEMU says a thing, hangs up after some turns of the loop, and has exited after more.

    Returns the client and the names of what was left running.
    """
    ours, its = socket.socketpair()
    exited: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def qemu() -> None:
        its.send(said)
        for _ in range(before):
            await asyncio.sleep(0)
        its.close()
        for _ in range(after):
            await asyncio.sleep(0)
        exited.set_result(None)

    end = asyncio.ensure_future(qemu())
    async with attached(ours, exited) as client:
        await end
    left = asyncio.all_tasks() - {asyncio.current_task()}
    return client, {repr(task) for task in left}


@pytest.mark.parametrize("said", [b"", GREETING[:9], b"no QMP\n"], ids=["mute", "half", "junk"])
@pytest.mark.parametrize("before", range(6))
def test_a_qemu_that_ends_at_once_is_no_client(said: bytes, before: int) -> None:
    for after in range(24):
        assert asyncio.run(_meet(said, before, after)) == (None, set()), f"{after} turns"


@pytest.mark.parametrize("before", range(0, 40, 5))
def test_a_greeting_without_an_answer_leaves_nothing_running(before: int) -> None:
    for after in range(24):
        client, left = asyncio.run(_meet(GREETING, before, after))
        assert (client, left) == (None, set()), f"{after} turns"


def test_a_stop_while_qemu_is_silent_leaves_nothing_running() -> None:
    async def stop() -> set[str]:
        ours, its = socket.socketpair()
        never: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        async def wait() -> None:
            async with attached(ours, never):
                raise AssertionError("nobody has greeted")

        waiting = asyncio.ensure_future(wait())
        await asyncio.sleep(0.01)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        its.close()
        return {repr(task) for task in asyncio.all_tasks() - {asyncio.current_task()}}

    assert asyncio.run(stop()) == set()
