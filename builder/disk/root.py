"""Containers in which the guest's root is filled: without root, network or privileges."""

from __future__ import annotations

from pathlib import Path

import msgspec

from builder.engine.spec import ContainerSpec, Mount

SCRIPTS = Path(__file__).parent / "container"


class RootInputs(msgspec.Struct, frozen=True):
    """The inputs of a root; all paths are on the host.

    ``root``: tar of the guest's root.  ``repo``: the repository.  ``guest``: folders put
    into the root, in this order.  ``alone``: folders of RPMs for the guest, in no repository.
    ``provides``: capabilities of the root, by EL's names.  ``epoch``: seconds since 1970; no file
    of the result is newer.
    """

    image: str
    root: Path
    repo: Path
    guest: tuple[Path, ...]
    alone: tuple[Path, ...]
    provides: Path
    epoch: int


def make_folders(scratch: Path) -> None:
    """Make the folders that such a container writes to."""
    for name in ("work", "out"):
        (scratch / name).mkdir(exist_ok=True)


def root_container(
    inputs: RootInputs, scratch: Path, script: str, *env: tuple[str, str]
) -> ContainerSpec:
    """A container that runs one of our scripts; its results are in ``scratch/out``.

    fakechroot and fakeroot replace root privileges, so that package scriptlets run in the
    guest's root file system as its root user.
    """
    return ContainerSpec(
        image=inputs.image,
        argv=("fakechroot", "fakeroot", "/bin/sh", f"/in/scripts/{script}"),
        mounts=(
            Mount(inputs.root, "/in/root.tar"),
            Mount(inputs.repo, "/in/repo"),
            *(Mount(folder, f"/in/guest/{number}") for number, folder in enumerate(inputs.guest)),
            *(Mount(folder, f"/in/alone/{number}") for number, folder in enumerate(inputs.alone)),
            Mount(inputs.provides, "/in/provides"),
            Mount(SCRIPTS, "/in/scripts"),
            Mount(scratch / "work", "/scratch", writable=True),
            Mount(scratch / "out", "/out", writable=True),
        ),
        env=(
            ("HOME", "/scratch"),
            ("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"),
            ("LC_ALL", "C.UTF-8"),
            ("SOURCE_DATE_EPOCH", str(inputs.epoch)),
            *env,
        ),
        workdir="/scratch",
    )
