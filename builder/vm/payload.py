"""The disk with the self-test that the guest mounts and executes."""

from __future__ import annotations

import shutil
from pathlib import Path

from builder.errors import EnvironmentFailure
from builder.host import process

SERIAL = "selftest"
SIZE = "2M"
PROGRAMS = ("run", "traffic")
PARTS = ("lib.sh", "network.sh", "balancing.sh", "keepalived.sh", "routing.sh")
SOURCE = Path(__file__).parent / "guest"

CHECKS = frozenset(
    {
        "guest.tools",
        "kernel.release",
        "network.topology",
        "ipvs.modules",
        "ipvs.add",
        "ipvs.save",
        "ipvs.clear",
        "ipvs.restore",
        "keepalived.config",
        "keepalived.running",
        "keepalived.down",
        "keepalived.up",
        "frr.start",
        "frr.ospf",
        "frr.rip",
        "fullnat.refused",
        "fullnat.service",
        "fullnat.tcp4",
        "fullnat.udp4",
        "fullnat.tcp6",
        "fullnat.udp6",
        "nat.tcp4",
        "systemd.units",
        "kernel.log",
    }
)
"""What the guest must report, each once: a check that gets lost is a failure."""


def make(target: Path, kernel_release: str, *, source: Path = SOURCE) -> Path:
    """Write the disk (ext4, no partition table) as ``target``; needs no root.

    Raises EnvironmentFailure if mke2fs is missing or fails.
    """
    mke2fs = process.require_tool("mke2fs", "e2fsprogs", "to make the self-test's disk")
    folder = target.with_suffix(".d")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in (*PROGRAMS, *PARTS):
        shutil.copyfile(source / name, folder / name)
        (folder / name).chmod(0o755 if name in PROGRAMS else 0o644)
    (folder / "release").write_text(kernel_release + "\n")
    target.unlink(missing_ok=True)
    options = ["-q", "-t", "ext4", "-O", "^has_journal", "-m", "0", "-L", SERIAL]
    done = process.run([mke2fs, *options, "-d", folder, target, SIZE], timeout=60)
    shutil.rmtree(folder)
    if not done.ok:
        raise EnvironmentFailure(
            "cannot make the self-test's disk", done.complaint, "is there space on the disk?"
        )
    return target
