"""What happens in the middle of the traffic waits for the traffic, not for a clock."""

from __future__ import annotations

import asyncio
from pathlib import Path

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
