"""The director's disk image: bootable, with the RPMs in it, the same bytes every time."""

from __future__ import annotations

from pathlib import Path

import msgspec

from builder.disk.root import RootInputs, make_folders, root_container
from builder.engine.spec import ContainerSpec, RunContainer
from builder.errors import BuildError
from builder.host import buildlog

DISK_MIB = 4096
IMAGE = "director.qcow2"
FILES = (IMAGE, "vmlinuz", "initrd.img", "cmdline", "release", "packages")


class DiskImage(msgspec.Struct, frozen=True):
    """The image and the files that boot it without its boot loader, all in ``folder``.

    ``release``: the kernel's ``uname -r``.
    """

    folder: Path
    release: str

    @property
    def image(self) -> Path:
        return self.folder / IMAGE


def container(inputs: RootInputs, packages: tuple[str, ...], scratch: Path) -> ContainerSpec:
    """The container that installs ``packages`` and makes the disk."""
    size = ("DISK_SIZE_MIB", str(DISK_MIB))
    return root_container(inputs, scratch, "make-disk.sh", size, ("PACKAGES", " ".join(packages)))


def make(
    inputs: RootInputs,
    packages: tuple[str, ...],
    *,
    scratch: Path,
    log: Path,
    run: RunContainer,
) -> DiskImage:
    """Install ``packages`` into the guest's root and make a bootable disk of it.

    Raises BuildError with the script's message, or if a result is missing.
    """
    make_folders(scratch)
    if run(container(inputs, packages, scratch), log) != 0:
        raise BuildError(
            "the disk image could not be made",
            buildlog.cause(log),
            "see the log for the step that failed",
            log=log,
        )
    out = scratch / "out"
    missing = [name for name in FILES if not (out / name).is_file()]
    if missing:
        raise BuildError(
            f"the disk image's script succeeded, but made no {', '.join(missing)}",
            "it is broken",
            "see builder/disk/container/make-disk.sh",
            log=log,
        )
    return read(out)


def read(folder: Path) -> DiskImage:
    """The image that an earlier run made in ``folder``."""
    return DiskImage(folder, (folder / "release").read_text(encoding="utf-8").strip())
