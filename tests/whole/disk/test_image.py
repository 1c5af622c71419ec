"""The image as an operator gets it: from which disks it boots, and who can log in to it."""

from __future__ import annotations

import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from builder.vm import machine
from builder.vm.hardware import Bus, Disk, Hardware, Kernel, Nic
from builder.vm.machine import End, TimeLimits
from tests.support.vm.image import LOGINS, TCG, boot, first_boot_disk
from tests.whole.conftest import Built

pytestmark = [pytest.mark.guest, pytest.mark.timeout(3000)]
UEFI = Path("/usr/share/ovmf/OVMF.fd")
# Of crypt(5), for "correct horse".
HASH = (
    "$6$firstboot$"
    "G/8xfLUmYW9/Aw5YiS4roL72GSyoBpc/ngwatsbFyWwVhTVlGozAZdRtOF/tvF2qiU1Dejs7bY.MJkKCP0WpC1"
)
KEEPALIVED = b"""\
global_defs {
    router_id first-boot
}
virtual_server 192.0.2.10 80 {
    lvs_sched rr
    lvs_method NAT
    protocol TCP
    real_server 203.0.113.10 8080 {
    }
}
"""
MAC = "52:54:00:00:00:01"


def image(built: Built) -> Path:
    return built.artifacts / "vm/director.qcow2"


def facts(lines: list[str]) -> dict[str, str]:
    return {name: text.strip() for name, _, text in (line.partition(":") for line in lines)}


@pytest.mark.parametrize(
    ("bus", "firmware"),
    [("virtio-scsi", None), ("ahci", None), ("nvme", None), ("virtio-blk", UEFI)],
)
def test_it_boots_and_nobody_can_log_in(
    built: Built, tmp_path: Path, bus: Bus, firmware: Path | None
) -> None:
    hardware = Hardware(TCG, (Disk(image(built), "qcow2", "root", bus=bus),), firmware=firmware)
    guest = boot(tmp_path / "run", hardware)
    seen = facts(guest.lines)
    assert seen["hostname"] == "director"
    assert seen["password"] in ("*", "!")
    assert (seen["ssh"], seen["keepalived"]) == ("inactive", "inactive")
    assert (seen["keys"], seen["failed"]) == ("", "")
    assert seen.get("firmware") == ("UEFI" if firmware else None)
    assert seen["tools"] == "/usr/bin/nano /usr/bin/tcpdump /usr/bin/curl"
    assert "first boot: no disk labelled LVSDIRECTOR is attached" in guest.console


def test_a_root_on_an_unknown_controller_is_explained(built: Built, tmp_path: Path) -> None:
    folder = built.artifacts / "vm"
    words = (folder / "cmdline").read_text().strip().replace("panic=30", "panic=1 rd.timeout=4")
    direct = Kernel(folder / "vmlinuz", folder / "initrd.img", f"{words} quiet")
    disk = Disk(image(built), "qcow2", "root", bus="pvscsi")
    run = machine.boot(
        Hardware(TCG, (disk,), kernel=direct),
        TimeLimits(total=120.0, silence=60.0),
        console=tmp_path / "console.log",
        hear=lambda _data, _now: None,
    )
    assert run.end is End.RESET, run
    console = run.console.read_text(errors="replace")
    assert "(15ad:07c0): this kernel has no driver vmw_pvscsi" in console
    assert "disks and partitions that are present: none" in console


def settings(key: str) -> bytes:
    return f"""\
[Director]
Hostname=lb1.example.net
ConsoleLogin=on
RootPasswordHash={HASH}
SSH=on
SSHKey={key}

[Interface outside]
MACAddress={MAC}
Address=192.0.2.10/24
Address=2001:db8::10/64
Gateway=192.0.2.1
""".encode()


def test_a_first_boot_disk_sets_it_up_and_reboots_keep_it(built: Built, tmp_path: Path) -> None:
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "admin", "-f", tmp_path / "key"],
        check=True,
    )
    key = (tmp_path / "key.pub").read_text()
    shutil.copy(image(built), tmp_path / "own.qcow2")
    root = Disk(tmp_path / "own.qcow2", "qcow2", "root", kept=True)
    files = {"director.conf": settings(key.strip()), "keepalived.conf": KEEPALIVED}
    first_boot = first_boot_disk(tmp_path, files)
    said = {}
    for name, disks in (("first", (root, first_boot)), ("second", (root,))):
        ours, theirs = socket.socketpair()
        with ours, theirs:
            card = Nic(MAC, (theirs.fileno(),), None)
            guest = boot(
                tmp_path / name,
                Hardware(TCG, disks, nics=(card,)),
                LOGINS,
                tmp_path / "key",
            )
        said[name] = seen = facts(guest.lines)
        assert seen["hostname"] == "lb1.example.net"
        assert {"192.0.2.10/24", "2001:db8::10/64"} <= set(seen["addresses"].split())
        assert seen["gateway"].startswith("default via 192.0.2.1 ")
        assert (seen["keepalived"], seen["served"]) == ("active", "1")
        assert (seen["crypt"], seen["with key"]) == ("right", "lb1.example.net")
        assert "Permission denied" in seen["without"]
        assert seen["login"] == "active active"
        assert seen["failed"] == ""
    assert "first boot: set up from the disk LVSDIRECTOR" in boot_console(tmp_path / "first")
    # the journal of the first boot is there in the second, and so is the host key
    assert (said["first"]["boots"], said["second"]["boots"]) == ("1", "2")
    assert said["first"]["keys"] == said["second"]["keys"] != ""
    assert "first boot:" not in boot_console(tmp_path / "second")


def boot_console(folder: Path) -> str:
    return (folder / "console.log").read_text(errors="replace")


def test_a_bad_first_boot_disk_is_refused_and_the_image_boots(built: Built, tmp_path: Path) -> None:
    files = {
        "director.conf": b"[Director]\nHostname=lb1\nSsh=yes\n[Interface e]\nAddress=1.2.3.4/40\n",
        "keepalived.conf": KEEPALIVED,
        "a b;reboot": b"",
    }
    disks = (Disk(image(built), "qcow2", "root"), first_boot_disk(tmp_path, files))
    guest = boot(tmp_path / "run", Hardware(TCG, disks))
    seen = facts(guest.lines)
    assert seen["hostname"] == "director"
    assert seen["password"] in ("*", "!")
    assert (seen["ssh"], seen["keepalived"]) == ("inactive", "inactive")
    assert seen["failed"] == "director-first-boot.service"
    for words in (
        "nobody knows a file 'a b;reboot'",
        "director.conf line 3: nobody knows a key 'Ssh' here",
        "director.conf line 5: '1.2.3.4/40' is not an address with a prefix length",
        "was refused as a whole",
    ):
        assert words in guest.console
