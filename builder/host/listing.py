"""The exact content of a folder: a line for each entry, and one digest over all.

Two folders have the same digest if and only if they have the same names, of the same kinds, with
the same contents, targets of links, permission to run, and permission for everybody to read: a
build fails if a container's user cannot read a file.  Owners, times and other permissions do not
count: they differ between machines and mean nothing to a build.
"""

# Names are bytes here, as in the kernel: pathlib does not support that, and is slow.
# ruff: noqa: PTH115, PTH116, PTH118

from __future__ import annotations

import hashlib
import os
import stat
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Self

from builder.digest import Digest, of_bytes
from builder.errors import Interrupted

FOLDER = b"d"
_FILE, _PROGRAM, _LINK, _OTHER = b"f", b"x", b"l", b"?"
_CHUNK = 1 << 20
_TOP = b"."
_READ, _ENTER = stat.S_IROTH, stat.S_IROTH | stat.S_IXOTH
_SHOWN = 3  # names in a message

Memory = dict[tuple[int, int, int, int], bytes]
"""Digests of files that have several names, by device, inode, size and time."""


def file_entry(sha256: str, *, runs: bool) -> bytes:
    """The entry of a file with this digest; ``runs``: its owner may execute it."""
    return (_PROGRAM if runs else _FILE) + sha256.encode()


def link_entry(target: bytes) -> bytes:
    """The entry of a symbolic link."""
    return _LINK + hashlib.sha256(target).hexdigest().encode()


@dataclass(frozen=True)
class Listing:
    """Entries by their path below the folder: ``d``, or one of ``f x l`` and a digest.

    ``x`` is a file that its owner may execute; a link's digest is that of its target's name.
    A capital letter means that not everybody may read it (a folder: read and enter).  The folder
    itself is listed, as ``.``, only in that case.
    """

    entries: Mapping[bytes, bytes]

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """The listing that was ``encoded``.  Raises ValueError for anything else."""
        entries: dict[bytes, bytes] = {}
        *lines, rest = data.split(b"\0")
        for line in lines:
            entry, blank, path = line.partition(b" ")
            if not blank or not path:
                raise ValueError(f"no line of a listing: {line[:80]!r}")
            entries[path] = entry
        if rest:
            raise ValueError("the listing ends within a line")
        return cls(entries)

    @cached_property
    def encoded(self) -> bytes:
        """The lines in the order of their paths, each ended by a NUL: entry, blank, path."""
        return b"".join(b"%b %b\0" % (entry, path) for path, entry in sorted(self.entries.items()))

    @cached_property
    def digest(self) -> Digest:
        """One digest for all that the folder holds."""
        return of_bytes(self.encoded)

    def files(self) -> Iterator[tuple[str, Digest]]:
        """Path and digest of every file, links not followed, in the order of their paths."""
        for path, entry in sorted(self.entries.items()):
            if entry[:1].lower() in (_FILE, _PROGRAM):
                yield os.fsdecode(path), Digest(entry[1:].decode())

    def below(self, name: str) -> Listing:
        """The listing of a folder that holds this one as its folder ``name``."""
        top = os.fsencode(name)
        moved = {b"%b/%b" % (top, path): entry for path, entry in self.entries.items()}
        moved.pop(b"%b/%b" % (top, _TOP), None)
        return Listing({top: self.entries.get(_TOP, FOLDER), **moved})

    def renewed(self, root: Path, names: Iterable[str]) -> Listing:
        """The listing with ``names`` below ``root``, and folders above them, read again."""
        entries = dict(self.entries)
        for path in _with_parents(names):
            entry = _look(os.path.join(os.fsencode(root), path))
            if entry is None:
                entries.pop(path, None)
            else:
                entries[path] = entry
        return Listing(entries)

    def fault(self, root: Path, names: Iterable[str]) -> str:
        """What is different now at ``names`` below ``root`` and the folders above them."""
        paths = _with_parents(names)
        now = {path: _look(os.path.join(os.fsencode(root), path)) for path in paths}
        return _only(paths, self.entries).difference(_only(paths, now))

    def difference(self, now: Listing) -> str:
        """What is different ``now``, in words that name the first files; empty if nothing is."""
        words = [
            f"{os.fsdecode(path)} {_verb(self.entries.get(path), now.entries.get(path))}"
            for path in sorted(self.entries.keys() | now.entries.keys())
            if self.entries.get(path) != now.entries.get(path)
        ]
        more = f", and {len(words) - _SHOWN} more" if len(words) > _SHOWN else ""
        return ", ".join(words[:_SHOWN]) + more


def read(
    root: Path, *, stop: threading.Event | None = None, memory: Memory | None = None
) -> Listing:
    """Read a whole folder.  ``memory``: do not read a file again that has another name.

    Raises OSError for what cannot be read, Interrupted if ``stop`` is set meanwhile.
    """
    return Listing(_Reading(os.fsencode(root), stop, memory).run())


@dataclass
class _Reading:
    root: bytes
    stop: threading.Event | None
    memory: Memory | None
    entries: dict[bytes, bytes] = field(default_factory=dict)

    def run(self) -> dict[bytes, bytes]:
        waiting = [b""]
        top = _folder_entry(os.stat(self.root).st_mode)
        if top != FOLDER:
            self.entries[_TOP] = top
        while waiting:
            if self.stop is not None and self.stop.is_set():
                raise Interrupted(
                    f"stopped while {os.fsdecode(self.root)} was read",
                    "the run was being stopped",
                    "run the same command again",
                )
            waiting += self._read_folder(waiting.pop())
        return self.entries

    def _read_folder(self, folder: bytes) -> list[bytes]:
        """Add the entries of a folder; returns the folders in it."""
        inner: list[bytes] = []
        with os.scandir(self.root + b"/" + folder) as found:
            for one in found:
                path = folder + b"/" + one.name if folder else one.name
                if one.is_dir(follow_symlinks=False):
                    self.entries[path] = _folder_entry(one.stat(follow_symlinks=False).st_mode)
                    inner.append(path)
                elif one.is_file(follow_symlinks=False):
                    self.entries[path] = _read_file(one.path, self.memory)
                else:
                    self.entries[path] = _look(one.path) or _OTHER
        return inner


def _look(path: bytes) -> bytes | None:
    """The entry of whatever is at ``path``, None if nothing is."""
    try:
        mode = os.lstat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    if stat.S_ISDIR(mode):
        return _folder_entry(mode)
    if stat.S_ISLNK(mode):
        return link_entry(os.readlink(path))
    return _read_file(path, None) if stat.S_ISREG(mode) else _OTHER


def _read_file(path: bytes, memory: Memory | None) -> bytes:
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        found = os.fstat(handle)
        key = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)
        runs = bool(found.st_mode & stat.S_IXUSR)
        entry = memory.get(key) if memory is not None and found.st_nlink > 1 else None
        if entry is None:
            entry = file_entry(_hash(handle), runs=runs)
            if memory is not None and found.st_nlink > 1:
                memory[key] = entry
        return entry if found.st_mode & _READ else entry[:1].upper() + entry[1:]
    finally:
        os.close(handle)


def _folder_entry(mode: int) -> bytes:
    return FOLDER if mode & _ENTER == _ENTER else FOLDER.upper()


def _hash(handle: int) -> str:
    made = hashlib.sha256()
    while data := os.read(handle, _CHUNK):
        made.update(data)
    return made.hexdigest()


def _only(paths: Iterable[bytes], entries: Mapping[bytes, bytes | None]) -> Listing:
    chosen = {path: entries.get(path) for path in paths}
    return Listing({path: entry for path, entry in chosen.items() if entry is not None})


def _with_parents(names: Iterable[str]) -> set[bytes]:
    paths: set[bytes] = set()
    for name in names:
        parts = os.fsencode(name).split(b"/")
        paths.update(b"/".join(parts[:depth]) for depth in range(1, len(parts) + 1))
    return paths


def _verb(old: bytes | None, new: bytes | None) -> str:
    if new is None:
        return "is missing"
    if new[:1].isupper() and new[1:] == (old or FOLDER)[1:]:
        return "cannot be read by everybody"
    if old is None:
        return "was added"
    if old[:1] != new[:1]:
        return "is of another kind or mode"
    return "has changed"
