"""Outputs as archives: equal outputs with equal times give equal tars.

The members come in the order of their names, without owners; times are whole seconds, so that a
tree's files stay in the order in which make(1) compares them.
"""

# Names are bytes here, as in the kernel: pathlib does not support that, and is slow.
# ruff: noqa: PTH115

from __future__ import annotations

import contextlib
import hashlib
import os
import subprocess
import tarfile
import threading
from pathlib import Path
from typing import IO

from builder.errors import BuildError
from builder.host import process
from builder.host.listing import FOLDER, Listing, file_entry
from builder.host.lock import check

_FILE, _PROGRAM, _LINK = b"f", b"x", b"l"
_KINDS = frozenset({FOLDER, _FILE, _PROGRAM, _LINK})
_COMMAND = ("-q", "-T1", "-3", "-c")  # beside a build: one processor, and little of it
_WHAT = "packing for the stage store"


def fault(root: Path, listing: Listing) -> str:
    """Why an output cannot be packed so that it is the same again; empty if it can."""
    if not listing.entries:
        return "it is empty"
    for name, entry in listing.entries.items():
        if entry[:1] not in _KINDS:
            return f"{os.fsdecode(name)} is not a file that everybody may read"
        if entry[:1] == _LINK and os.readlink(_path(root, name)).startswith(b"/"):
            return f"{os.fsdecode(name)} is a link to an absolute path"
    return ""


def pack(root: Path, listing: Listing, target: Path, stop: threading.Event) -> None:
    """Write all that ``listing`` has below ``root`` into the file ``target``.

    Raises OSError, BuildError with zstd's message or if a file is not what was listed,
    EnvironmentFailure if zstd is missing, and Interrupted if ``stop`` is set meanwhile.
    """
    tool = process.require_tool("zstd")
    with (
        target.open("wb") as file,
        process.start([tool, *_COMMAND], stdin=subprocess.PIPE, stdout=file) as zstd,
    ):
        assert zstd.stdin is not None  # noqa: S101 - it was asked for
        # If zstd has ended early, its own message says why.
        with contextlib.suppress(BrokenPipeError), zstd.stdin as pipe:
            _write(pipe, root, listing, stop)
        if zstd.wait() != 0:
            words = zstd.stderr.read().decode(errors="replace") if zstd.stderr else ""
            raise BuildError(f"{target.name} cannot be packed", words.strip(), "try it again")


def _write(pipe: IO[bytes], root: Path, listing: Listing, stop: threading.Event) -> None:
    """Write the tar."""
    with tarfile.open(
        fileobj=pipe,
        mode="w|",
        format=tarfile.GNU_FORMAT,
        encoding="utf-8",
        errors="surrogateescape",
    ) as tar:
        for name, entry in sorted(listing.entries.items()):
            check(stop, _WHAT)
            _add(tar, root, name, entry)


class _Hashed:
    """A file that is read once, and hashed meanwhile."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.made = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self.made.update(data)
        return data


def _add(tar: tarfile.TarFile, root: Path, name: bytes, entry: bytes) -> None:
    """Add one member.  Raises BuildError if a file is not what was listed, OSError."""
    path, kind = _path(root, name), entry[:1]
    member = tarfile.TarInfo(os.fsdecode(name))
    member.mtime = int(os.lstat(path).st_mtime)
    if kind == FOLDER:
        member.type, member.mode = tarfile.DIRTYPE, 0o755
        tar.addfile(member)
    elif kind == _LINK:
        member.type, member.linkname = tarfile.SYMTYPE, os.fsdecode(os.readlink(path))
        tar.addfile(member)
    else:
        member.mode = 0o755 if kind == _PROGRAM else 0o644
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as file:
            member.size = os.fstat(handle).st_size
            hashed = _Hashed(file)
            tar.addfile(member, hashed)
        if file_entry(hashed.made.hexdigest(), runs=kind == _PROGRAM) != entry:
            raise BuildError(
                f"{os.fsdecode(name)} has changed since it was made", str(root), "invoke verify"
            )


def _path(root: Path, name: bytes) -> bytes:
    return os.fsencode(root) + b"/" + name
