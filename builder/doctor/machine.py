"""What the machine has: processors, memory, space on disk, KVM, vsyscall."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from builder.doctor.finding import Finding, Status
from builder.errors import BuilderError
from builder.host import vsyscall
from builder.vm import kvm

GIB = 1 << 30
LEAST_PROCESSORS = 1
GOOD_PROCESSORS = 2
LEAST_MEMORY = 2 * GIB
GOOD_MEMORY = 4 * GIB
# A kernel's object tree, the base, the engine's layers and two images; with a generous margin.
LEAST_CACHE = 12 * GIB
GOOD_CACHE = 25 * GIB
# Bits that gpg may wait for when a vendor's spec makes a key for signing modules.
GOOD_ENTROPY = 200
# Since this release, reading /dev/random does not wait (random(4)).
NEVER_WAITS = (5, 6)
LEAST_ARTIFACTS = 2 * GIB
GOOD_ARTIFACTS = 4 * GIB

KvmProbe = Callable[[], str]
"""Boots a tiny guest; returns what it saw, raises OSError or BuilderError if it does not boot."""


def examine_processors(count: int | None = None) -> Finding:
    """Processors that this process may use."""
    have = len(os.sched_getaffinity(0)) if count is None else count
    value = f"{have} present; {LEAST_PROCESSORS} needed, {GOOD_PROCESSORS} recommended"
    if have >= GOOD_PROCESSORS:
        return Finding("processors", Status.OK, value)
    reason = "a kernel takes more than an hour on one processor"
    return Finding("processors", Status.WARNING, value, reason, "give the machine more")


def read_memory() -> int:
    """Bytes that can be had without swapping (MemAvailable in proc(5))."""
    for line in Path("/proc/meminfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    raise OSError("/proc/meminfo has no MemAvailable")


def examine_memory(read: Callable[[], int] = read_memory) -> Finding:
    """Memory that a build and a guest can have."""
    try:
        free = read()
    except OSError as error:
        return Finding("memory", Status.WARNING, "unknown", str(error), "mount /proc")
    fix = "stop other programs or add memory; fewer --jobs need less"
    return _grade("memory", free, (LEAST_MEMORY, GOOD_MEMORY), "compiling and the guest", fix)


def examine_disk(
    name: str, folder: Path, least: int, good: int, free: Callable[[Path], int] | None = None
) -> Finding:
    """Space for ``folder``, which need not exist yet; ``least`` and ``good`` in bytes."""
    place = next(path for path in (folder, *folder.parents) if path.exists())
    available = (free or _free)(place)
    fix = f"free space on the file system of {place} (`invoke clean`), or use another"
    if not os.access(place, os.W_OK):
        return Finding(name, Status.FAILURE, str(folder), f"{place} is not writable", fix)
    return _grade(name, available, (least, good), str(folder), fix)


def _free(place: Path) -> int:
    return shutil.disk_usage(place).free


def _grade(name: str, have: int, bounds: tuple[int, int], what: str, fix: str) -> Finding:
    least, good = bounds
    amounts = f"{least / GIB:.0f} GiB needed, {good / GIB:.0f} GiB recommended"
    value = f"{have / GIB:.1f} GiB free; {amounts}"
    if have >= good:
        return Finding(name, Status.OK, value)
    if have < least:
        reason = f"{what}: {(least - have) / GIB:.1f} GiB are missing"
        return Finding(name, Status.FAILURE, value, reason, fix)
    return Finding(name, Status.WARNING, value, f"{what}: less than is recommended", fix)


def examine_kvm(device: Path = kvm.DEVICE, probe: KvmProbe | None = None) -> Finding:
    """Test KVM; without it the guest is emulated, which is slower but works.

    ``probe``: boots a guest; without it the device only has to make a virtual machine.
    """
    slow = "the guest will be emulated (TCG), which is slower"
    fault = kvm.fault(device)
    if fault:
        fix = (
            "modprobe kvm_intel or kvm_amd; in a VM, allow nested virtualization"
            if not device.exists()
            else "usermod -aG kvm $USER, and log in again; else look at dmesg"
        )
        return Finding("kvm", Status.WARNING, "not usable", f"{fault}; {slow}", fix)
    if probe is None:
        return Finding("kvm", Status.OK, f"{device} makes virtual machines; none was booted")
    try:
        return Finding("kvm", Status.OK, probe())
    except (OSError, BuilderError) as error:
        fix = "none on this host; on real hardware look at dmesg"
        return Finding("kvm", Status.WARNING, f"{device} boots nothing", f"{error}; {slow}", fix)


def examine_vsyscall(mapped: Callable[[], bool] | None = None, *, needed: bool = False) -> Finding:
    """Whether old C libraries (CentOS 6, glibc 2.12) can call the kernel through vsyscall."""
    if (mapped or vsyscall.is_mapped)():
        return Finding("vsyscall", Status.OK, "mapped")
    if not needed:
        return Finding("vsyscall", Status.OK, "not mapped; the base does not need it")
    reason = "programs of CentOS 6 crash without it"
    return Finding("vsyscall", Status.FAILURE, "not mapped", reason, vsyscall.FIX)


def examine_entropy(
    release: str | None = None, bits: Path = Path("/proc/sys/kernel/random/entropy_avail")
) -> Finding:
    """Whether a build that makes a key would wait for entropy, which containers share."""
    version = (release or os.uname().release).split("-")[0].split(".")
    if tuple(int(part) for part in version[:2]) >= NEVER_WAITS:
        return Finding("entropy", Status.OK, "this kernel does not wait for it")
    try:
        have = int(bits.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        return Finding("entropy", Status.WARNING, "unknown", str(error), "mount /proc")
    if have >= GOOD_ENTROPY:
        return Finding("entropy", Status.OK, f"{have} bits")
    reason = "making a key for module signatures (profile el6, base centos6) may wait for hours"
    fix = "install rng-tools or haveged, or run: rngd -r /dev/urandom"
    return Finding("entropy", Status.WARNING, f"{have} bits", reason, fix)
