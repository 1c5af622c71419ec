"""The initramfs: what goes into it, and what it says of a root that is not there."""

from __future__ import annotations

import gzip
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[3] / "dockerfiles/debian12/guest/common/usr/lib/director"
NVME = "pci:v00008086d00005845sv00001AF4sd00001100bc01sc08i02"
PVSCSI = "pci:v000015ADd000007C0sv000015ADsd000007C0bc01sc00i00"
UNKNOWN = "pci:v00001234d00005678sv00000000sd00000000bc01sc04i00"
NIC = "pci:v00001AF4d00001000sv00001AF4sd00000001bc02sc00i00"


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    return shutil.copytree(SCRIPTS, tmp_path / "director")


def make(scripts: Path, target: Path) -> subprocess.CompletedProcess[str]:
    """An initramfs for a kernel that has no modules on this machine."""
    command: list[str | Path] = [scripts / "make-initrd", "0.0.0-none", target]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def listed(initrd: Path) -> set[str]:
    """The names in an initramfs."""
    packed = gzip.decompress(initrd.read_bytes())
    done = subprocess.run(["busybox", "cpio", "-t"], input=packed, capture_output=True, check=True)
    return set(done.stdout.decode().split())


def device(system: Path, bus: str, name: str, modalias: str, *, driver: bool = False) -> None:
    """A device as sysfs shows it (kernel: Documentation/ABI/testing/sysfs-bus-pci)."""
    folder = system / "bus" / bus / "devices" / name
    folder.mkdir(parents=True)
    (folder / "modalias").write_text(modalias + "\n")
    if bus == "pci":
        (folder / "vendor").write_text(f"0x{modalias[9:13].lower()}\n")
        (folder / "device").write_text(f"0x{modalias[18:22].lower()}\n")
    if driver:
        (folder / "driver").mkdir()


def ask(question: str, *words: Path) -> list[str]:
    """What a function of the initramfs says, in the shell that it has there."""
    script = f'. "{SCRIPTS}/initramfs-disks"; {question} "$@"'
    command = ["busybox", "sh", "-euc", script, "sh", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert not done.stderr
    return done.stdout.splitlines()


def missing(system: Path, *present: str) -> list[str]:
    listed = system / "present"
    listed.write_text("".join(f"{name}\n" for name in present))
    return ask("missing_drivers", system, SCRIPTS / "disk-drivers", listed)


def test_a_controller_without_a_driver_is_named_with_the_driver(tmp_path: Path) -> None:
    device(tmp_path, "pci", "0000:00:04.0", NVME)
    device(tmp_path, "pci", "0000:00:05.0", PVSCSI)
    device(tmp_path, "pci", "0000:00:06.0", NIC)
    assert missing(tmp_path) == [
        "NVMe disk 0000:00:04.0 (8086:5845): this kernel has no driver nvme",
        "VMware's SCSI controller 0000:00:05.0 (15ad:07c0): this kernel has no driver vmw_pvscsi",
    ]


def test_a_controller_that_has_its_driver_is_not_named(tmp_path: Path) -> None:
    device(tmp_path, "pci", "0000:00:04.0", NVME, driver=True)
    assert missing(tmp_path) == []


def test_a_driver_that_is_present_and_did_nothing_is_told_apart(tmp_path: Path) -> None:
    device(tmp_path, "pci", "0000:00:04.0", NVME)
    assert missing(tmp_path, "nvme") == [
        "NVMe disk 0000:00:04.0 (8086:5845): driver nvme is loaded, but did not take it"
    ]


def test_a_controller_that_nobody_knows_is_named_by_its_numbers(tmp_path: Path) -> None:
    device(tmp_path, "pci", "0000:00:04.0", UNKNOWN)
    assert missing(tmp_path) == [
        "storage controller 0000:00:04.0 (1234:5678): this image knows no driver for it"
    ]


def test_disks_behind_their_controllers_are_looked_at_too(tmp_path: Path) -> None:
    device(tmp_path, "virtio", "virtio1", "virtio:d00000008v00001AF4")
    device(tmp_path, "scsi", "0:0:0:0", "scsi:t-0x00")
    assert missing(tmp_path) == [
        "SCSI or SATA disk 0:0:0:0: this kernel has no driver sd_mod",
        "virtio SCSI controller virtio1: this kernel has no driver virtio_scsi",
    ]


def test_a_machine_without_devices_is_no_error(tmp_path: Path) -> None:
    assert missing(tmp_path) == []


def test_the_disks_that_are_present_are_listed(tmp_path: Path) -> None:
    table = tmp_path / "partitions"
    table.write_text("major minor  #blocks  name\n\n 254 0 4194304 vda\n 254 1 4193280 vda1\n")
    said = "disks and partitions that are present: vda (4096 MiB), vda1 (4095 MiB)"
    assert ask("present_disks", table) == [said]


def test_what_init_needs_is_in_the_archive(scripts: Path, tmp_path: Path) -> None:
    done = make(scripts, tmp_path / "initrd.img")
    assert (done.returncode, done.stderr) == (0, "")
    held = listed(tmp_path / "initrd.img")
    assert {"init", "bin/busybox", "lib/disks", "drivers", "modules/present"} <= held
    assert (tmp_path / "initrd.img").stat().st_mode & 0o777 == 0o600


def test_an_initramfs_that_calls_what_busybox_lacks_is_refused(
    scripts: Path, tmp_path: Path
) -> None:
    init = scripts / "initramfs-init"
    init.write_text(init.read_text() + "/bin/busybox no_such_applet\n")
    done = make(scripts, tmp_path / "initrd.img")
    assert done.returncode == 1
    assert "no_such_applet" in done.stderr
    assert not (tmp_path / "initrd.img").exists()
