"""QEMU runs behind a filter of system calls, and without one where it cannot have it."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from builder.doctor.finding import Status
from builder.doctor.tools import examine_fence
from builder.vm import accelerator, machine, sandbox
from builder.vm.hardware import AGREED, Accelerator, Disk, Hardware, Nic
from builder.vm.machine import End, MachineRun, TimeLimits
from tests.support.vm import guests

pytestmark = pytest.mark.guest

TCG = Accelerator("tcg", "the tests say so", 0.0)
LIMITS = TimeLimits(total=60.0, silence=60.0)
FILTERED = ("2", "1")
"""Mode of a filter, and no new privileges (proc(5), status)."""
UP = b"up"
# What a QEMU says that was built without libseccomp.
WITHOUT = """\
#!/bin/sh
for word do
	case $word in
	-sandbox)
		echo 'qemu-system-x86_64: -sandbox: There is no option group "sandbox"' >&2
		exit 1
		;;
	esac
done
exec {real} "$@"
"""


def guest(folder: Path, disk: bytes) -> Disk:
    image = folder / "guest.img"
    image.write_bytes(disk)
    return Disk(image, "raw", "guest")


def fences(pid: int) -> set[tuple[str, str]]:
    """Seccomp mode and no_new_privs of every thread."""
    found = set()
    for thread in Path(f"/proc/{pid}/task").iterdir():
        lines = (thread / "status").read_text().splitlines()
        fields = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
        found.add((fields["Seccomp"], fields["NoNewPrivs"]))
    return found


async def watched(hardware: Hardware, console: Path) -> set[tuple[str, str]]:
    """The fences of a machine whose guest has spoken."""
    running = machine.power_on(hardware, LIMITS, console=console, hear=lambda _data, _now: None)
    async with running as one:
        while UP not in console.read_bytes():
            assert not one.ended.done(), one.ended.result()
            await asyncio.sleep(0.05)
        return fences(one.pid)


def boot(hardware: Hardware, console: Path) -> MachineRun:
    return machine.boot(hardware, LIMITS, console=console, hear=lambda _data, _now: None)


def test_every_thread_of_a_running_machine_is_fenced_in(tmp_path: Path) -> None:
    hardware = Hardware(TCG, (guest(tmp_path, guests.says(UP)),), cpus=2, memory=64)
    assert asyncio.run(watched(hardware, tmp_path / "console.log")) == {FILTERED}


@pytest.mark.parametrize("counted", [False, True], ids=["plain", "counted"])
def test_a_machine_with_all_that_a_lab_gives_it_runs_fenced_in(
    tmp_path: Path, counted: bool
) -> None:
    """Cards on sockets and hubs, captures, a shell, a clock that counts."""
    pairs = [socket.socketpair() for _ in range(3)]
    wires = [near.fileno() for near, _ in pairs]
    captures = [tmp_path / "a.pcap", tmp_path / "b.pcap"]
    hardware = Hardware(
        TCG,
        (guest(tmp_path, guests.leaves_with(AGREED)),),
        cpus=1,
        memory=64,
        nics=(
            Nic("52:54:00:00:00:01", (wires[0],), captures[0]),
            Nic("52:54:00:00:00:02", (wires[1], wires[2]), captures[1]),
        ),
        shell=tmp_path / "shell",
        counted=counted,
    )
    try:
        run = boot(hardware, tmp_path / "console.log")
    finally:
        for end in (end for pair in pairs for end in pair):
            end.close()
    assert run.end is End.AGREED, run
    assert all(path.stat().st_size >= 24 for path in captures)


def test_kvm_is_fenced_in_too(tmp_path: Path) -> None:
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        pytest.skip("this host has no KVM device")
    kvm = Accelerator("kvm", "the tests say so", 0.0)
    if accelerator.try_guests(kvm, tmp_path, None):
        pytest.skip("this host's KVM boots nothing")
    hardware = Hardware(kvm, (guest(tmp_path, guests.says(UP)),), cpus=2, memory=64)
    assert asyncio.run(watched(hardware, tmp_path / "console.log")) == {FILTERED}


def test_nothing_is_said_of_a_qemu_that_has_the_filter() -> None:
    assert sandbox.warning() == ""
    assert list(examine_fence(sandbox.fault)) == []


def test_a_qemu_that_has_no_filter_runs_without_and_that_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "bin" / "qemu-system-x86_64"
    program.parent.mkdir()
    program.write_text(WITHOUT.format(real=shutil.which("qemu-system-x86_64")))
    program.chmod(0o755)
    refused = subprocess.run([program, "-sandbox", "on"], capture_output=True, check=False)
    assert refused.returncode == 1
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    hardware = Hardware(TCG, (guest(tmp_path, guests.says(UP)),), cpus=1, memory=64)
    assert "no option group" in sandbox.warning()
    (told,) = examine_fence(sandbox.fault)
    assert (told.status, told.reason) == (Status.WARNING, sandbox.fault())
    # No more than these tests have themselves, in a container for example.
    assert asyncio.run(watched(hardware, tmp_path / "console.log")) == fences(os.getpid())
