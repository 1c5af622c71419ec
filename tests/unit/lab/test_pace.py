"""What happens in the middle of the traffic waits for the traffic, not for a clock."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

import pytest

from builder.lab.experiment import staggered
from builder.lab.hosts.network import BEGUN, Network, busy


def test_traffic_has_begun_when_its_host_has_sent_some(tmp_path: Path) -> None:
    captures = {name: tmp_path / f"{name}.pcap" for name in ("client-outer", "web1-web1")}
    for path in captures.values():
        path.write_bytes(bytes(24))
    network = Network({}, captures, 0.0)

    def grow(name: str, size: int) -> None:
        with captures[name].open("ab") as stream:
            stream.write(bytes(size))

    async def watched() -> None:
        waiting = asyncio.ensure_future(busy(network, ("client",)))
        await asyncio.sleep(0)
        grow("web1-web1", 2 * BEGUN)
        grow("client-outer", 70)  # a router's words
        await asyncio.sleep(0.25)
        assert not waiting.done(), "others' packets are no traffic of the client"
        grow("client-outer", BEGUN)
        await asyncio.wait_for(waiting, 5)

    asyncio.run(watched())


def test_jobs_wait_for_those_before_them_but_for_those_beside() -> None:
    heard: list[str] = []
    gate = asyncio.Event()

    async def job(name: str) -> str:
        heard.append(f"{name} begins")
        if name == "flood":
            await gate.wait()
        else:
            await asyncio.sleep(0)
        if name == "second":
            gate.set()
        heard.append(f"{name} ends")
        return name

    jobs = [(partial(job, name), name == "flood") for name in ("flood", "first", "second")]
    assert asyncio.run(staggered(jobs)) == ["flood", "first", "second"]
    assert heard.index("first ends") < heard.index("second begins")
    assert heard[0] == "flood begins" and heard[-1] == "flood ends"


@pytest.mark.parametrize("beside", [True, False])
def test_a_job_that_fails_ends_those_that_still_run(beside: bool) -> None:
    ended: list[str] = []

    async def forever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("forever")

    async def bad() -> None:
        raise OSError("it broke")

    with pytest.raises(OSError, match="it broke"):
        asyncio.run(staggered([(forever, True), (bad, beside)]))
    assert ended == ["forever"]
