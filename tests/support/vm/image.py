"""A built image, booted with scripts of the tests in place of the smoke test."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass, field, replace
from pathlib import Path

from builder.smoke.channel import PORT
from builder.smoke.payload import SERIAL
from builder.vm import machine
from builder.vm.hardware import Accelerator, Disk, Hardware
from builder.vm.machine import End, MachineRun, TimeLimits

TCG = Accelerator("tcg", "the tests say so", 0.0)
LIMITS = TimeLimits(total=240.0, silence=120.0)
STATE, LOGINS = (Path(__file__).with_name(name) for name in ("state.sh", "logins.sh"))
# Waits until nothing but itself is still being started; then what the scripts say goes to the host,
# and it leaves by the agreed number.
_RUN = """\
#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C
port=/dev/virtio-ports/{port}
until [ -e "$port" ]; do sleep 0.1; done
exec >"$port" 2>&1
until [ "$(systemctl list-jobs --no-legend | grep -cv director-selftest)" = 0 ]; do sleep 0.2; done
for part in {parts}; do . "${{0%/*}}/$part"; done
sync
echo 'script: end'
printf '\\052' | dd of=/dev/port bs=1 seek=244 conv=notrunc 2>/dev/null
"""


@dataclass
class Guest:
    """What a guest said on its port, on its console, and how it ended."""

    said: bytearray = field(default_factory=bytearray)
    run: MachineRun | None = None

    @property
    def lines(self) -> list[str]:
        return self.said.decode(errors="replace").splitlines()

    @property
    def console(self) -> str:
        assert self.run is not None
        return self.run.console.read_text(errors="replace").replace("\r", "")


def _payload(folder: Path, files: tuple[Path, ...]) -> Disk:
    content = folder / "payload"
    content.mkdir()
    parts = " ".join(file.name for file in files if file.suffix == ".sh")
    (content / "run").write_text(_RUN.format(port=PORT, parts=parts))
    (content / "run").chmod(0o755)
    for file in files:
        shutil.copyfile(file, content / file.name)
    image = folder / "payload.img"
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-d", content, image, "2M"], check=True)
    return Disk(image, "raw", SERIAL, read_only=True)


def boot(folder: Path, hardware: Hardware, *files: Path) -> Guest:
    """Boot ``hardware``, whose first disk is an image, and ask it for its state.

    ``folder``: a new folder for the run's files.  ``files``: what it finds beside that script;
    those that end in .sh run before it, as root.
    """
    folder.mkdir()
    guest = Guest()
    payload = _payload(folder, (*files, STATE))
    guest.run = machine.boot(
        # One processor: QEMU 7.2's emulation of several loses a breakpoint by which the kernel
        # patches its own code, in one boot of some hundreds, and the kernel panics ("int3").
        replace(hardware, disks=(*hardware.disks, payload), port=PORT, cpus=1),
        LIMITS,
        console=folder / "console.log",
        hear=lambda data, _now: guest.said.extend(data),
    )
    assert guest.run.end is End.AGREED, (guest.run, guest.said, machine.tail(guest.run.console))
    assert guest.said.endswith(b"script: end\n"), guest.said
    return guest


def first_boot_disk(folder: Path, files: dict[str, bytes]) -> Disk:
    """A disk of ``files``, made as docs/reference/image.md says."""
    content, image = folder / "first-boot", folder / "first-boot.img"
    shutil.rmtree(content, ignore_errors=True)
    content.mkdir(parents=True)
    with image.open("wb") as file:
        file.truncate(1 << 20)
    subprocess.run(["mkfs.vfat", "-n", "LVSDIRECTOR", image], check=True, capture_output=True)
    for name, data in files.items():
        (content / name).write_bytes(data)
        subprocess.run(["mcopy", "-i", image, content / name, f"::{name}"], check=True)
    return Disk(image, "raw", "first-boot", read_only=True)
