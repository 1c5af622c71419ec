"""What /dev/kvm itself answers: it is there, opens, speaks the API, and makes a machine.

The requests are those of linux/kvm.h; no guest runs.  A device may pass all of them and still run
no guest, so ``accelerator`` boots one as well.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

DEVICE = Path("/dev/kvm")
# The one version that there is (Documentation/virt/kvm/api.rst, 4.1).
API = 12
_GET_API_VERSION = 0xAE00
_CREATE_VM = 0xAE01
_CREATE_VCPU = 0xAE41


def fault(device: Path = DEVICE) -> str:
    """Why no machine can be made with ``device``; empty if one could."""
    if not device.exists():
        return f"this host has no {device}"
    try:
        with _closing(os.open(device, os.O_RDWR | os.O_CLOEXEC)) as kvm:
            return _try(kvm, device)
    except PermissionError:
        return f"{device} may not be opened by this user (group kvm?)"
    except OSError as error:
        return f"{device} cannot be opened: {error.strerror}"


def _try(kvm: int, device: Path) -> str:
    asked = "KVM_GET_API_VERSION"
    try:
        version = fcntl.ioctl(kvm, _GET_API_VERSION, 0)
        if version != API:
            return f"{device} speaks version {version} of KVM's API, not {API}"
        asked = "KVM_CREATE_VM"
        with _closing(fcntl.ioctl(kvm, _CREATE_VM, 0)) as machine:
            asked = "KVM_CREATE_VCPU"
            os.close(fcntl.ioctl(machine, _CREATE_VCPU, 0))
    except OSError as error:
        return f"{device} refuses {asked}: {error.strerror}"
    return ""


@contextmanager
def _closing(handle: int) -> Iterator[int]:
    try:
        yield handle
    finally:
        os.close(handle)
