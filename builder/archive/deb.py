"""Extract one file from a Debian package without unpacking the rest."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from builder.archive.member import DamagedArchive, Kind, placed
from builder.archive.stream import CHUNK, open_command
from builder.archive.tar import members
from builder.errors import VerificationError
from builder.host import process
from builder.host.space import full_disk, is_full

_MEMORY = 2 << 30  # bytes; dpkg-deb itself allocates whatever an archive claims to need


def extract_member(package: Path, member: str, target: Path, *, max_bytes: int) -> int:
    """Write ``member`` (as in usr/src/x.tar.xz) of a .deb to ``target``; return its size in bytes.

    Raises VerificationError if it is missing, not a plain file or larger than ``max_bytes``, or
    if the package is damaged; EnvironmentFailure if the disk is full or dpkg-deb is missing.
    """
    tool = process.require_tool("dpkg-deb", f"to open {package.name}")
    wanted = _plain(os.fsencode(member))
    fence = process.require_tool("prlimit")
    argv = (fence, f"--as={_MEMORY}", tool, "--fsys-tarfile", str(package))
    # Earlier members are read, but not kept.
    with open_command(argv, package, limit=16 * max_bytes + CHUNK) as reader:
        for found in placed(members(reader)):
            if _plain(found.name) != wanted:
                continue
            if found.odd or found.kind is not Kind.FILE or found.size > max_bytes:
                raise _refuse(package, f"{member} is not a plain file of at most {max_bytes} bytes")
            _copy(reader.read, found.size, target, package)
            return found.size
    raise _refuse(package, f"{member} is not in it")


def _plain(name: bytes) -> bytes:
    return name.removeprefix(b"./").strip(b"/")


def _refuse(package: Path, cause: str) -> VerificationError:
    return VerificationError(
        f"cannot take a file out of {package.name}",
        cause,
        "correct the location's member in profile.toml (`dpkg-deb -c` lists what is there)",
    )


def _copy(read: Callable[[int], bytes], size: int, target: Path, package: Path) -> None:
    left = size
    try:
        with target.open("wb") as out:
            while left:
                data = read(min(left, CHUNK))
                if not data:
                    raise DamagedArchive("it is truncated")
                out.write(data)
                left -= len(data)
    except OSError as error:
        if is_full(error):
            raise full_disk(f"cannot unpack {package.name}", target.parent, left) from error
        raise
