"""How a machine ended is told apart, also if QEMU itself is at fault: with a stand-in for QEMU."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from builder.errors import EnvironmentFailure
from builder.host import children
from builder.vm import accelerator, machine, sandbox
from builder.vm.hardware import AGREED_STATUS, Accelerator, Disk, Hardware, Kernel, Nic, command
from builder.vm.machine import End, MachineRun, TimeLimits
from tests.support.vm import standin
from tests.support.vm.standin import StandIn

TCG = Accelerator("tcg", "the tests say so", 0.0)
KVM = Accelerator("kvm", "the tests say so", 0.0)
PATIENT = TimeLimits(total=60.0, silence=60.0)


@pytest.fixture
def qemu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    return standin.install(tmp_path / "bin", monkeypatch)


@dataclass
class Trial:
    """A machine that ended, and what it had reported."""

    run: MachineRun
    heard: bytes


async def watched(name: str, folder: Path, limits: TimeLimits = PATIENT) -> Trial:
    heard: list[bytes] = []
    powered = machine.power_on(
        Hardware(TCG, (), name=name),
        limits,
        console=folder / f"{name}.log",
        hear=lambda data, _now: heard.append(data),
    )
    async with powered as running:
        ended = await running.ended
        for _ in range(3):  # what an ended machine does not read is lost
            await running.send(b"run 1 x\n" * 10000)
    return Trial(ended, b"".join(heard))


PARTS = {
    "agreed": f"machine.report(b'x' * 300000 + b'end')\nmachine.leave({AGREED_STATUS})",
    "status": "machine.leave(0x11 << 1 | 1)",
    "reset": "machine.event('SHUTDOWN', reason='guest-reset')\ntime.sleep(0.7)\nmachine.leave(0)",
    "off": "machine.leave(0)",
    "panic": "machine.event('GUEST_PANICKED')",
    "printed": "machine.console('Kernel panic - not syncing: x')",
    "killed": "os.kill(os.getpid(), 9)",
    "refused": "sys.stderr.write('no KVM\\n')\nmachine.leave(1)",
    "silent": "pass",
    "late": "while True:\n    machine.report(b'.')\n    time.sleep(0.02)",
}
LIMITS = {"silent": TimeLimits(60.0, 0.1), "late": TimeLimits(0.4, 60.0)}


@pytest.fixture(scope="module")
def trials(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Trial]:
    """A machine for each end, side by side: each is watched for a second after its end."""
    folder = tmp_path_factory.mktemp("trials")
    with pytest.MonkeyPatch.context() as monkeypatch:
        qemu = standin.install(folder / "bin", monkeypatch)
        for name, part in PARTS.items():
            qemu.play(part, name)

        async def run() -> list[Trial]:
            waiting = (watched(name, folder, LIMITS.get(name, PATIENT)) for name in PARTS)
            return await asyncio.gather(*waiting)

        found = dict(zip(PARTS, asyncio.run(run()), strict=True))
    assert not children.children(), "a process was left behind"
    return found


@pytest.mark.parametrize(
    ("name", "end", "words"),
    [
        ("agreed", End.AGREED, ""),
        ("status", End.STATUS, "the guest left with 0x11, agreed is 0x2a"),
        ("reset", End.RESET, "the guest reset itself (a triple fault does that, too)"),
        ("off", End.POWER_OFF, "reason that QEMU gives: none"),
        ("panic", End.PANIC, "the guest's kernel reported a panic"),
        ("printed", End.PANIC, "the console shows a kernel panic"),
        ("killed", End.EMULATOR, "exit status -9"),
        ("refused", End.EMULATOR, "exit status 1\nno KVM"),
        ("silent", End.SILENT, "no output for 0 s"),
        ("late", End.TIMEOUT, "no verdict within 0 s"),
    ],
)
def test_each_end_is_told_apart(
    trials: Mapping[str, Trial], name: str, end: End, words: str
) -> None:
    run = trials[name].run
    assert (run.end, run.detail) == (end, words)
    assert (run.status is None) is (end in (End.PANIC, End.SILENT, End.TIMEOUT))


def test_the_last_words_of_a_guest_are_heard(trials: Mapping[str, Trial]) -> None:
    assert trials["agreed"].heard == b"x" * 300000 + b"end"


def test_a_qemu_that_refuses_its_options_says_nothing_about_the_guest(
    trials: Mapping[str, Trial],
) -> None:
    with pytest.raises(EnvironmentFailure, match="no KVM") as caught:
        machine.require_started(trials["refused"].run)
    assert "invoke doctor" in caught.value.hint
    machine.require_started(trials["silent"].run)


def test_a_console_is_shown_without_what_harms_a_terminal(tmp_path: Path) -> None:
    console = tmp_path / "console.log"
    assert machine.tail(console) == ""
    lines = b"".join(b"line %d\r\n\n" % number for number in range(40))
    console.write_bytes(lines + b"\x1b[31mred\x07\xff\ttab\n")
    shown = machine.tail(console).splitlines()
    assert (len(shown), shown[0], shown[-1]) == (
        25,
        "line 16",
        "[31mred\N{REPLACEMENT CHARACTER}\ttab",
    )


def test_leaving_the_block_ends_the_machine(qemu: StandIn, tmp_path: Path) -> None:
    qemu.play("machine.report(b'up')")

    async def watch() -> None:
        up = asyncio.Event()
        powered = machine.power_on(
            Hardware(TCG, ()), PATIENT, console=tmp_path / "c.log", hear=lambda *_: up.set()
        )
        async with powered:
            await up.wait()
            raise KeyError

    with pytest.raises(KeyError):
        asyncio.run(watch())
    assert not children.children()


def option(words: list[str], name: str) -> list[str]:
    return [words[at + 1] for at, word in enumerate(words) if word == name]


def test_an_image_is_never_written_to_unless_it_is_kept(qemu: StandIn, tmp_path: Path) -> None:
    disks = (
        Disk(tmp_path / "a,b.qcow2", "qcow2", "director"),
        Disk(tmp_path / "payload", "raw", "selftest", read_only=True),
        Disk(tmp_path / "mine", "raw", "mine", kept=True),
    )
    drives = option(command(Hardware(TCG, disks), tmp_path / "log", 8, 9), "-drive")
    assert f"file={tmp_path}/a,,b.qcow2," in drives[0]
    assert [one.rpartition(",")[2] for one in drives] == [
        "snapshot=on",
        "readonly=on",
        "snapshot=off",
    ]


@pytest.mark.parametrize(
    ("bus", "devices"),
    [
        ("virtio-blk", ["virtio-blk-pci,drive=disk0"]),
        ("ahci", ["ide-hd,bus=ide.0,drive=disk0"]),
        ("nvme", ["nvme,drive=disk0"]),
        (
            "virtio-scsi",
            ["virtio-scsi-pci,id=controller0", "scsi-hd,bus=controller0.0,drive=disk0"],
        ),
        ("pvscsi", ["pvscsi,id=controller0", "scsi-hd,bus=controller0.0,drive=disk0"]),
    ],
)
def test_a_disk_hangs_on_the_bus_that_is_asked_for(
    qemu: StandIn, tmp_path: Path, bus: str, devices: list[str]
) -> None:
    disk = Disk(tmp_path / "x", "raw", "s", bus=bus)  # type: ignore[arg-type]
    words = option(command(Hardware(TCG, (disk,)), tmp_path / "log", 8, 9), "-device")
    for device in devices:
        assert any(word.startswith(device) for word in words), words


def test_several_wires_meet_in_a_hub_and_a_card_is_captured(qemu: StandIn, tmp_path: Path) -> None:
    nics = (
        Nic("52:54:00:00:00:01", (5,), None),
        Nic("52:54:00:00:00:02", (6, 7), tmp_path / "a,b.pcap"),
    )
    words = command(Hardware(KVM, (), nics=nics, shell=tmp_path / "sh"), tmp_path / "log", 8, 9)
    assert option(words, "-netdev") == [
        "socket,id=nic0,fd=5",
        "hubport,id=nic1,hubid=1",
        "socket,id=nic1w0,fd=6",
        "hubport,id=nic1w0p,hubid=1,netdev=nic1w0",
        "socket,id=nic1w1,fd=7",
        "hubport,id=nic1w1p,hubid=1,netdev=nic1w1",
    ]
    captured = f"filter-dump,id=nic1d,netdev=nic1,file={tmp_path}/a,,b.pcap,maxlen=65536"
    assert option(words, "-object") == [captured]
    assert f"socket,id=shell,path={tmp_path}/sh,server=on,wait=off" in option(words, "-chardev")
    assert option(words, "-accel") == ["kvm"]


def test_a_clock_that_counts_instructions_is_one_thread_s(qemu: StandIn, tmp_path: Path) -> None:
    kernel = Kernel(tmp_path / "vmlinuz", tmp_path / "initrd", "quiet")
    guest = Hardware(KVM, (), kernel=kernel, counted=True, firmware=tmp_path / "ovmf")
    words = command(guest, tmp_path / "log", 8, 9)
    assert option(words, "-accel") == ["tcg,thread=single"]
    assert option(words, "-append") == ["quiet no_timer_check"]
    assert option(words, "-initrd") == [str(tmp_path / "initrd")]
    assert option(words, "-bios") == [str(tmp_path / "ovmf")]
    real = Hardware(KVM, (), kernel=Kernel(tmp_path / "vmlinuz", None, "quiet"))
    assert option(command(real, tmp_path / "log", 8, 9), "-append") == ["quiet"]


def test_a_qemu_without_the_filter_runs_unfenced_and_it_is_told(
    qemu: StandIn, tmp_path: Path
) -> None:
    assert command(Hardware(TCG, ()), tmp_path / "log", 8, 9)[1:3] == list(sandbox.OPTIONS)
    assert sandbox.warning() == ""
    program = qemu.folder / sandbox.QEMU
    program.unlink()
    program.write_text("#!/bin/sh\necho first >&2\necho 'seccomp: not compiled in' >&2\nexit 1\n")
    program.chmod(0o755)
    assert "-sandbox" not in command(Hardware(TCG, ()), tmp_path / "log", 8, 9)
    assert sandbox.warning().endswith(
        "without its filter of system calls: seccomp: not compiled in"
    )


def test_an_accelerator_must_bring_up_a_guest(
    qemu: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for limit in ("SECTOR_LIMIT", "KERNEL_LIMIT"):  # for a busy machine
        monkeypatch.setattr(accelerator, limit, PATIENT)
    qemu.play(f"machine.leave(0 if '-kernel' in machine.words else {AGREED_STATUS})")
    told = accelerator.try_guests(KVM, tmp_path / "probe", tmp_path / "vmlinuz")
    assert told.startswith("KVM answers, but a real kernel failed on it: powered off")
    assert option(qemu.words(), "-kernel") == [str(tmp_path / "vmlinuz")]
    assert option(qemu.words(), "-initrd") == [str(tmp_path / "probe" / "probe.cpio")]


def test_a_device_that_is_none_means_emulation(qemu: StandIn, tmp_path: Path) -> None:
    found = accelerator.decide(tmp_path / "probe", device=tmp_path / "kvm")
    assert (found.kind, found.why) == ("tcg", f"this host has no {tmp_path / 'kvm'}")
    assert "emulating" in found.remark
    assert not (tmp_path / "probe").exists(), "nothing is booted"
