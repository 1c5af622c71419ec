"""Which way guests run on this host: found out by booting one, not by looking at a device.

A /dev/kvm can be there, answer every ioctl and still bring up nothing: nested or emulated
KVMs fail at processor state or take minutes for a boot.  So a tiny guest has to come up.
"""

from __future__ import annotations

import time
from pathlib import Path

from builder.host import process
from builder.vm import kvm, machine, probe
from builder.vm.hardware import Accelerator, Disk, Hardware, Kernel
from builder.vm.machine import End, TimeLimits

__all__ = ["Accelerator", "decide", "try_guests"]

DEVICE = kvm.DEVICE
SECTOR_LIMIT = TimeLimits(total=3.0, silence=3.0)
KERNEL_LIMIT = TimeLimits(total=10.0, silence=10.0)
COMMAND_LINE = "console=ttyS0 quiet panic=-1"


def decide(scratch: Path, *, kernel: Path | None = None, device: Path = DEVICE) -> Accelerator:
    """KVM if tiny guests really come up on it, TCG otherwise; takes 13 s at the very most.

    ``kernel``: a bzImage, with which a real kernel is tried as well (recommended).  The result
    holds until the host's next boot.  ``scratch``: a folder for the guests' files.  Raises
    EnvironmentFailure if QEMU itself is missing.
    """
    process.require_tool("qemu-system-x86_64")
    started = time.monotonic()
    reason = kvm.fault(device)
    if not reason:
        trial = Accelerator("kvm", "on trial", 0.0)
        reason = try_guests(trial, scratch, kernel)
    seconds = time.monotonic() - started
    if reason:
        return Accelerator("tcg", reason, seconds)
    what = "the kernel" if kernel is not None else "a tiny guest"
    return Accelerator("kvm", f"{what} came up on {device} in {seconds:.1f} s", seconds)


def try_guests(accelerator: Accelerator, scratch: Path, kernel: Path | None) -> str:
    """Boot tiny guests with ``accelerator``; returns why they fail, or ""."""
    scratch.mkdir(parents=True, exist_ok=True)
    sector, initrd = scratch / "probe.img", scratch / "probe.cpio"
    sector.write_bytes(probe.boot_sector())
    initrd.write_bytes(probe.tiny_initrd())
    disks = (Disk(sector, "raw", "probe"),)
    guest = Hardware(accelerator, disks, cpus=1, memory=64)
    reason = _try(guest, SECTOR_LIMIT, scratch / "probe-sector.log", "a tiny boot sector")
    if reason or kernel is None:
        return reason
    guest = Hardware(
        accelerator, (), kernel=Kernel(kernel, initrd, COMMAND_LINE), cpus=2, memory=256
    )
    return _try(guest, KERNEL_LIMIT, scratch / "probe-kernel.log", "a real kernel")


def _try(guest: Hardware, limits: TimeLimits, console: Path, what: str) -> str:
    run = machine.boot(guest, limits, console=console, hear=lambda _data, _now: None)
    if run.end is End.AGREED:
        return ""
    name = guest.accelerator.kind.upper()
    if run.end in (End.SILENT, End.TIMEOUT):
        return f"{name} answers, but {what} did not come up on it within {limits.total:.0f} s"
    said = (run.detail.splitlines() or [""])[-1]
    return f"{name} answers, but {what} failed on it: {run.end.value} ({said[:160]})"
