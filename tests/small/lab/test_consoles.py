"""The consoles of a lab's hosts are that lab's own, whatever other labs begin and end."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from builder.errors import SmokeError
from builder.host.paths import Cache, shells_folder
from builder.lab.hosts import network
from builder.lab.hosts.network import Image, Images, Pace
from builder.lab.scenario.model import Host, Topology
from builder.vm import machine
from builder.vm.hardware import Accelerator, Disk, Hardware
from builder.vm.machine import TimeLimits
from tests.support.vm import guests

pytestmark = pytest.mark.guest

TCG = Accelerator("tcg", "the tests say so", 0.0)
LIMITS = TimeLimits(total=60.0, silence=60.0)
PACE = Pace(1.0, 1.0, 1.0)
ALONE = Topology("one host", {}, {"web1": Host("server", (), 0, 0)})


@pytest.fixture
def short() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="run-", dir="/tmp") as folder:
        yield Path(folder)


async def answers(path: Path) -> bool:
    """Whether QEMU listens there, at the latest in a moment."""
    for _ in range(100):
        with socket.socket(socket.AF_UNIX) as shell:
            if not shell.connect_ex(str(path)):
                return True
        await asyncio.sleep(0.05)
    return False


async def lab(folder: Path, shells: Path) -> None:
    """A whole lab of one host, which does not boot."""
    folder.mkdir()
    disk = folder / "disk.qcow2"
    subprocess.run(("qemu-img", "create", "-q", "-f", "qcow2", disk, "1M"), check=True)
    for name in ("kernel", "initrd"):
        (folder / name).write_bytes(bytes(4096))
    image = Image(disk, folder / "kernel", folder / "initrd", "quiet")
    with pytest.raises(SmokeError, match="web1"):
        async with network.power_on(
            ALONE, Images(image, image), TCG, pace=PACE, folder=folder, shells=shells
        ):
            pass


def test_a_lab_of_another_cache_leaves_the_first_one_s_consoles(
    tmp_path: Path, short: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As long as the path of a runner's workspace may be: the sockets' must not be.
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / ("workspace" * 10)))
    monkeypatch.setattr(tempfile, "tempdir", str(short))
    first = shells_folder(Cache(tmp_path / "first"), "lts")
    second = shells_folder(Cache(tmp_path / "second"), "lts")
    guest = tmp_path / "guest.img"
    guest.write_bytes(guests.hangs())
    hardware = Hardware(
        TCG, (Disk(guest, "raw", "guest"),), cpus=1, memory=64, shell=first / "web1"
    )

    async def both() -> None:
        running = machine.power_on(
            hardware, LIMITS, console=tmp_path / "console.log", hear=lambda _data, _now: None
        )
        async with running:
            assert await answers(first / "web1")
            await lab(tmp_path / "lab", second)
            assert await answers(first / "web1"), "the second lab took the first one's socket"

    asyncio.run(both())
    assert not second.exists(), "a lab that has ended leaves a folder"
