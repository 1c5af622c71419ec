"""What a virtual machine is made of, and QEMU's words for it (qemu-system-x86_64(1))."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from builder.host import process
from builder.vm import sandbox

DEBUG_EXIT_PORT = 0xF4
INSTRUCTION_SHIFT = 3
INSTRUCTION_NS = 1 << INSTRUCTION_SHIFT
"""What a guest's clock advances by each instruction, if it counts them (qemu(1), -icount)."""
AGREED = 0x2A
"""What the guest writes to the port of isa-debug-exit when all is well."""
AGREED_STATUS = AGREED << 1 | 1
"""QEMU's exit status for it (hw/misc/debugexit.c)."""
TCG_CPU = "qemu64,+cx16,+lahf_lm,+popcnt,+ssse3,+sse4.1,+sse4.2,+rdrand,+x2apic"
"""An x86-64-v2 processor (what EL9 demands) without what is dear to emulate: no XSAVE, AVX."""


@dataclass(frozen=True)
class Accelerator:
    """How guests run here, and ``why``; ``seconds`` is what finding out took."""

    kind: Literal["kvm", "tcg"]
    why: str
    seconds: float

    @property
    def remark(self) -> str:
        """For people, shown after what is booted; ``invoke doctor`` has the reason."""
        return " with KVM" if self.kind == "kvm" else ": KVM unusable here, emulating (slower)"

    @property
    def option(self) -> str:
        """QEMU's -accel."""
        return "kvm" if self.kind == "kvm" else "tcg,thread=multi"

    @property
    def cpu(self) -> str:
        """QEMU's -cpu."""
        return "host" if self.kind == "kvm" else TCG_CPU


@dataclass(frozen=True)
class Kernel:
    """A kernel that is booted directly instead of the disk's boot loader."""

    image: Path
    initrd: Path | None
    command_line: str


Bus = Literal["virtio-blk", "virtio-scsi", "ahci", "nvme", "pvscsi"]
"""What a disk can hang on."""


@dataclass(frozen=True)
class Disk:
    """A disk.

    The file is never written, because changes go to a temporary overlay; but a disk that is
    ``kept`` keeps them.
    """

    path: Path
    format: str
    serial: str
    read_only: bool = False
    bus: Bus = "virtio-blk"
    kept: bool = False


@dataclass(frozen=True)
class Nic:
    """A virtio network card on private links.

    ``wires``: open stream sockets; other machines have their other ends.  If there are several, a
    hub joins all of them and the card.  ``capture``: file to which QEMU itself writes what passes
    the card, in either direction (pcap-savefile(5)), if it is wanted.
    """

    mac: str
    wires: tuple[int, ...]
    capture: Path | None


@dataclass(frozen=True)
class Hardware:
    """The machine; ``memory`` in MiB.

    ``port``: the name of the virtio-serial port on which it reports.  ``shell``: a Unix socket that
    QEMU makes for a virtio console.  ``counted``: its clock counts instructions, each of them
    ``INSTRUCTION_NS``, and jumps while the guest is idle, which does not suit guests that others
    talk to; only for TCG.  ``firmware``: an image of UEFI, used instead of QEMU's own BIOS.
    """

    accelerator: Accelerator
    disks: tuple[Disk, ...]
    kernel: Kernel | None = None
    cpus: int = 2
    memory: int = 1024
    name: str = "director"
    port: str = "report"
    nics: tuple[Nic, ...] = ()
    shell: Path | None = None
    counted: bool = False
    firmware: Path | None = None


def _disk_arguments(number: int, disk: Disk) -> list[str]:
    node = f"disk{number}"
    # snapshot=on puts an overlay above the file; QEMU deletes it at once after opening
    access = "readonly=on" if disk.read_only else f"snapshot={'off' if disk.kept else 'on'}"
    return [
        "-drive",
        f"if=none,id={node},format={disk.format},file={_quoted(disk.path)},cache=unsafe,{access}",
        # A kernel that QEMU loads itself has index 0.
        *_attached(disk.bus, number, f"drive={node},serial={disk.serial},bootindex={number + 1}"),
    ]


def _attached(bus: Bus, number: int, properties: str) -> list[str]:
    controller = f"controller{number}"
    if bus == "ahci":  # q35 has the controller
        return ["-device", f"ide-hd,bus=ide.{number},{properties}"]
    if bus in ("virtio-scsi", "pvscsi"):
        model = "virtio-scsi-pci" if bus == "virtio-scsi" else bus
        disk = f"scsi-hd,bus={controller}.0,{properties}"
        return ["-device", f"{model},id={controller}", "-device", disk]
    return ["-device", f"{'nvme' if bus == 'nvme' else 'virtio-blk-pci'},{properties}"]


def _nic_arguments(number: int, nic: Nic) -> list[str]:
    card = f"nic{number}"
    if len(nic.wires) == 1:
        words = ["-netdev", f"socket,id={card},fd={nic.wires[0]}"]
    else:
        words = ["-netdev", f"hubport,id={card},hubid={number}"]
        for index, wire in enumerate(nic.wires):
            link = f"{card}w{index}"
            words += ["-netdev", f"socket,id={link},fd={wire}"]
            words += ["-netdev", f"hubport,id={link}p,hubid={number},netdev={link}"]
    # without a ROM to boot from, which nobody would run
    words += ["-device", f"virtio-net-pci,netdev={card},mac={nic.mac},romfile="]
    if nic.capture is not None:
        file = f"file={_quoted(nic.capture)},maxlen=65536"
        words += ["-object", f"filter-dump,id={card}d,netdev={card},{file}"]
    return words


def _quoted(path: Path) -> str:
    """A path as a value in QEMU's lists."""
    return str(path).replace(",", ",,")


def _command_line(hardware: Hardware, kernel: Kernel) -> str:
    """The kernel's parameters.  An emulated timer may be late on a busy host: the check of the
    IO-APIC's timer would then panic (kernel-parameters.txt, no_timer_check)."""
    emulated = hardware.counted or hardware.accelerator.kind == "tcg"
    return f"{kernel.command_line} no_timer_check" if emulated else kernel.command_line


def command(hardware: Hardware, console: Path, control: int, report: int) -> list[str]:
    """The whole command line; ``control`` and ``report`` are open file numbers.

    QEMU is fenced in where that is possible (``builder/vm/sandbox.py``).
    """
    qemu = process.require_tool("qemu-system-x86_64")
    words = [qemu, *sandbox.options(qemu), "-nodefaults", "-no-user-config"]
    words += ["-display", "none", "-no-reboot", "-net", "none", "-name", hardware.name]
    words += ["-machine", "q35,vmport=off"]
    if hardware.firmware is not None:
        words += ["-bios", str(hardware.firmware)]
    if hardware.counted:
        words += ["-accel", "tcg,thread=single"]
        words += ["-icount", f"shift={INSTRUCTION_SHIFT},sleep=off"]
    else:
        words += ["-accel", hardware.accelerator.option]
    words += ["-cpu", hardware.accelerator.cpu]
    words += ["-smp", str(hardware.cpus), "-m", str(hardware.memory)]
    words += ["-device", f"isa-debug-exit,iobase={DEBUG_EXIT_PORT:#x},iosize=1"]
    words += ["-device", "pvpanic", "-device", "virtio-rng-pci"]
    words += ["-chardev", f"socket,id=control,fd={control}", "-mon", "chardev=control,mode=control"]
    words += ["-chardev", f"socket,id=report,fd={report}", "-device", "virtio-serial-pci"]
    words += ["-device", f"virtserialport,chardev=report,name={hardware.port}"]
    if hardware.shell is not None:
        words += ["-chardev", f"socket,id=shell,path={_quoted(hardware.shell)},server=on,wait=off"]
        words += ["-device", "virtconsole,chardev=shell"]
    words += ["-serial", f"file:{_quoted(console)}"]
    for number, nic in enumerate(hardware.nics):
        words += _nic_arguments(number, nic)
    for number, disk in enumerate(hardware.disks):
        words += _disk_arguments(number, disk)
    if hardware.kernel is not None:
        words += ["-kernel", str(hardware.kernel.image)]
        words += ["-append", _command_line(hardware, hardware.kernel)]
        if hardware.kernel.initrd is not None:
            words += ["-initrd", str(hardware.kernel.initrd)]
    return words
