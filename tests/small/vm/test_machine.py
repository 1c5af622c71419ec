"""A machine's end is told apart, and nothing of it is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Literal

import pytest

from builder.host import children
from builder.vm import machine
from builder.vm.hardware import AGREED, Accelerator, Disk, Hardware, Kernel, command
from builder.vm.machine import End, MachineRun, TimeLimits
from tests.support.clock import busy
from tests.support.vm import guests

pytestmark = pytest.mark.guest

TCG = Accelerator("tcg", "the tests say so", 0.0)
QUICK = TimeLimits(total=6.0, silence=3.0)


def boot(folder: Path, disk: bytes, limits: TimeLimits = QUICK) -> MachineRun:
    image = folder / "guest, with comma.img"
    image.write_bytes(disk)
    run = machine.boot(
        Hardware(TCG, (Disk(image, "raw", "guest"),), cpus=1, memory=64),
        limits,
        console=folder / "console.log",
        hear=lambda _data, _now: None,
    )
    assert image.read_bytes() == disk, "the image was written to"
    assert not children.children(), "a process was left behind"
    return run


@pytest.mark.parametrize(
    ("disk", "end"),
    [
        (guests.leaves_with(AGREED), End.AGREED),
        (guests.leaves_with(0x11), End.STATUS),
        (guests.reports_panic(), End.PANIC),
        (guests.prints_panic(), End.PANIC),
        (guests.resets(), End.RESET),
        (guests.powers_off(), End.POWER_OFF),
        (guests.hangs(), End.SILENT),
        (bytes(1 << 20), End.SILENT),
    ],
    ids=[
        "agreed",
        "status",
        "panic-device",
        "panic-console",
        "reset",
        "power-off",
        "hang",
        "no-boot-sector",
    ],
)
def test_each_end_is_told_apart(tmp_path: Path, disk: bytes, end: End) -> None:
    run = boot(tmp_path, disk)
    assert run.end is end, run


def test_a_chattering_guest_runs_out_of_time(tmp_path: Path) -> None:
    run = boot(tmp_path, guests.chatters(), TimeLimits(total=3.0, silence=2.0))
    assert run.end is End.TIMEOUT
    assert run.seconds < busy(5)


def test_console_tail_is_readable(tmp_path: Path) -> None:
    run = boot(tmp_path, guests.says(b"\x1b[31mlast words\r\n"), TimeLimits(total=2.0, silence=1.0))
    assert "last words" in machine.tail(run.console)
    assert "\x1b" not in machine.tail(run.console)


def test_a_qemu_that_does_not_start_is_not_blamed_on_the_guest(tmp_path: Path) -> None:
    image = tmp_path / "guest.img"
    image.write_bytes(b"not a qcow2")
    hardware = Hardware(TCG, (Disk(image, "qcow2", "guest"),), cpus=1, memory=64)
    run = machine.boot(hardware, QUICK, console=tmp_path / "c.log", hear=lambda _data, _now: None)
    assert run.end is End.EMULATOR
    assert "qcow2" in run.detail


SCRIPT = """
import sys
from pathlib import Path
from builder.vm import machine
from tests.small.vm.test_machine import TCG, Disk, Hardware, TimeLimits
folder = Path(sys.argv[1])
machine.boot(
    Hardware(TCG, (Disk(folder / "guest.img", "raw", "guest"),), cpus=1, memory=64),
    TimeLimits(total=60.0, silence=60.0),
    console=folder / "console.log",
    hear=lambda data, now: None,
)
"""


def _grandchildren(pid: int) -> list[int]:
    words = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(word) for word in words]


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state not in ("Z", "X")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["interrupt", "kill"])
def test_no_qemu_outlives_its_builder(tmp_path: Path, number: signal.Signals) -> None:
    (tmp_path / "guest.img").write_bytes(guests.hangs())
    builder = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(tmp_path)],
        cwd=Path(__file__).parents[3],
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 20
    while not (found := _grandchildren(builder.pid)) or not (tmp_path / "console.log").exists():
        assert time.monotonic() < deadline, "QEMU was never started"
        time.sleep(0.05)
    time.sleep(0.5)
    os.kill(builder.pid, number)
    builder.wait(20)
    deadline = time.monotonic() + 10
    while any(_alive(pid) for pid in found):
        assert time.monotonic() < deadline, "QEMU outlives its builder"
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("kind", "counted", "told"),
    [("tcg", False, True), ("kvm", False, False), ("kvm", True, True)],
)
def test_an_emulated_timer_is_not_checked_for_being_in_time(
    tmp_path: Path, kind: Literal["tcg", "kvm"], counted: bool, told: bool
) -> None:
    """On a busy host the check of the IO-APIC's timer would end in a panic."""
    kernel = Kernel(tmp_path / "vmlinuz", None, "root=/dev/vda1 quiet")
    way = Accelerator(kind, "the tests say so", 0.0)
    words = command(Hardware(way, (), kernel=kernel, counted=counted), tmp_path / "log", 3, 4)
    line = words[words.index("-append") + 1].split()
    assert line[:2] == ["root=/dev/vda1", "quiet"]
    assert ("no_timer_check" in line) == told
