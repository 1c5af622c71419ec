"""Unpack an untrusted source archive (tar or RPM), as fast as tar does.

This code creates everything below ``target``, folder by folder, so it can check a name without
reading the disk: every parent must be a folder that was created here.

``Limits`` bounds the time, memory and disk space that an archive may use, whatever it claims;
``tar`` and ``cpio`` describe how it is read.
"""

# Names are bytes here, as in a tar: pathlib does not support that, and is slow.
# ruff: noqa: PTH101, PTH102, PTH108, PTH113, PTH114, PTH211

from __future__ import annotations

import errno
import hashlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from builder.archive import cpio, links, rpm, tar
from builder.archive.member import DamagedArchive, Kind, Member, listed, placed, shown
from builder.archive.stream import CHUNK, ForwardReader, open_stream
from builder.errors import UsageError, VerificationError
from builder.host.listing import FOLDER, Listing, file_entry, link_entry
from builder.host.removal import remove
from builder.host.space import full_disk, is_full

if TYPE_CHECKING:
    from builder.console import Console

_NAME_BYTES = 255  # NAME_MAX, limits.h
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_SHOWN = 20  # names in a message
_REPORT = 256  # members between two progress reports


@dataclass(frozen=True)
class Limits:
    """How large an archive may become.

    ``files``: members and their parent folders.  ``bytes``: decompressed bytes, headers and
    padding included; the files together have fewer.  ``names``: bytes of all names and links,
    which are kept in memory until the end.  ``path``: bytes of one name or link, half of PATH_MAX
    (limits.h), because a tree is also moved and copied below longer names.  ``depth``: nested
    folders.
    """

    files: int = 500_000
    bytes: int = 16 << 30
    names: int = 64 << 20
    path: int = 2048
    depth: int = 128


@dataclass(frozen=True)
class Unpacked:
    """The unpacked tree: number of files (links included, folders not) and their bytes.

    ``listing``: everything that was written, with digests computed while writing.
    """

    files: int
    bytes: int
    listing: Listing


def unpack(
    archive: Path,
    target: Path,
    *,
    console: Console,
    limits: Limits = Limits(),
    strip: int | None = None,
    only: str = "",
) -> Unpacked:
    """Unpack a tar (plain, xz, lzma, gzip, bzip2, zstd) or an RPM's payload into ``target``.

    ``target``: a new or empty folder; it is removed after a failure.  ``strip``: leading
    components to remove from names, as tar's --strip-components does; by default one for a tar,
    none for an RPM.  ``only``: a folder of the archive; only its content is unpacked, directly
    into ``target``.  Files become 0644 or 0755, folders 0755, all owned by the calling user;
    times are kept, but never before 1970 or in the future.

    Raises VerificationError that names the member (names or links that lead out, special
    files, bombs, damage), EnvironmentFailure if the disk is full or the decompressor is missing,
    UsageError if ``target`` is not empty.
    """
    offset = rpm.read(archive).payload if rpm.is_rpm(archive) else 0
    target.mkdir(parents=True, exist_ok=True)
    if any(target.iterdir()):
        raise UsageError(
            f"cannot unpack {archive.name}", f"{target} is not empty", "name an empty folder"
        )
    members = cpio.members if offset else tar.members
    strip = (0 if offset else 1) if strip is None else strip
    below = tuple(os.fsencode(only).split(b"/")) if only else ()
    tree = _Tree(archive.name, os.fsencode(target), limits, strip, below)
    try:
        with (
            open_stream(archive, limits.bytes, offset) as (reader, packed),
            console.progress(f"unpack {archive.name}", archive.stat().st_size, "B") as progress,
        ):
            for count, member in enumerate(placed(members(reader))):
                tree.add(member, reader)
                if count % _REPORT == 0:
                    progress.advance(_position(packed.fileno()) - progress.done)
        return tree.finish()
    except OSError as error:
        # Removed first, so that the message reports the space that the next try will have.
        remove(target, target.parent)
        if is_full(error):
            raise full_disk(f"cannot unpack {archive.name}", target, tree.needed) from error
        raise
    except BaseException:
        remove(target, target.parent)
        raise


def _position(descriptor: int) -> int:
    return os.lseek(descriptor, 0, os.SEEK_CUR)


@dataclass
class _Tree:
    """The folder that is being filled.  Names are bytes, relative to ``root``."""

    archive: str
    root: bytes
    limits: Limits
    strip: int
    only: tuple[bytes, ...] = ()
    needed: int = 0
    _now: int = field(default_factory=lambda: int(time.time()))
    _folders: dict[bytes, int] = field(default_factory=lambda: {b"": -1})  # name: its time
    _links: dict[bytes, bytes] = field(default_factory=dict)  # name: its target
    _seen: set[bytes] = field(default_factory=set)  # folders that ``only`` could have named
    _entries: dict[bytes, bytes] = field(default_factory=dict)  # links and files
    _members: int = 0
    _implied: int = 0  # folders that are not members
    _files: int = 0
    _bytes: int = 0
    _names: int = 0  # bytes

    def add(self, member: Member, reader: ForwardReader) -> None:
        """Create one member; ``reader`` returns its data next."""
        self._count(member)
        if member.odd:
            self._reject(member.name, member.odd)
        name = self._clean(member.name, member)
        if not name:
            return
        try:
            self._makers[member.kind](name, member, reader)
        except OSError as error:
            if error.errno != errno.ENAMETOOLONG:
                raise
            self._reject(member.name, f"its name is too long below {os.fsdecode(self.root)}")

    def finish(self) -> Unpacked:
        """Check where the links lead and set the folders' times."""
        try:
            links.check(self._links, self.limits.depth)
        except links.Stray as stray:
            self._reject(stray.link, str(stray))
        for folder, moment in sorted(self._folders.items(), reverse=True):
            if moment >= 0:
                os.utime(self._path(folder), (moment, moment))
        if not self._members:
            raise VerificationError(f"{self.archive} is empty", "no member in it", "fetch it again")
        if self.only and not self._files:
            raise self._lacks()
        folders = {folder: FOLDER for folder in self._folders if folder}
        return Unpacked(self._files, self._bytes, Listing(folders | self._entries))

    @cached_property
    def _makers(self) -> dict[Kind, Callable[[bytes, Member, ForwardReader], None]]:
        return {
            Kind.FILE: self._add_file,
            Kind.FOLDER: self._add_folder,
            Kind.SYMLINK: self._add_symlink,
            Kind.HARDLINK: self._add_hardlink,
        }

    def _count(self, member: Member) -> None:
        self._members += 1
        self._bytes += member.size
        self._names += len(member.name) + len(member.link)
        self._count_files(member)
        if self._bytes > self.limits.bytes:
            self._reject(member.name, f"more than {self.limits.bytes} bytes come out")
        if self._names > self.limits.names:
            self._reject(member.name, f"more than {self.limits.names} bytes of names")

    def _count_files(self, member: Member) -> None:
        if self._members + self._implied > self.limits.files:
            self._reject(member.name, f"more than {self.limits.files} members and their folders")

    def _clean(self, name: bytes, member: Member) -> bytes:
        """``name`` relative to the root; empty if nothing remains of it."""
        if name.startswith(b"/"):
            self._reject(member.name, "its name is absolute")
        if b"\0" in name or len(name) > self.limits.path:
            self._reject(member.name, "its name has a NUL or is too long")
        parts = [part for part in name.split(b"/") if part]
        if b".." in parts:
            self._reject(member.name, 'its name has ".." in it')
        kept = self._keep(parts)
        if any(len(part) > _NAME_BYTES for part in kept):
            self._reject(member.name, f"a part of its name is longer than {_NAME_BYTES} bytes")
        if len(kept) > self.limits.depth:
            self._reject(member.name, f"it lies in more than {self.limits.depth} folders")
        return b"/".join(kept)

    def _keep(self, parts: list[bytes]) -> list[bytes]:
        """The components of a name that remain; none if the member is not wanted."""
        if not self.only:
            return [part for part in parts[self.strip :] if part != b"."]
        named = [part for part in parts if part != b"."]
        depth = len(self.only)
        if tuple(named[:depth]) == self.only:
            return named[depth:]
        if len(self._seen) < _SHOWN:
            self._seen.add(b"/".join(named[:depth]))
        return []

    def _lacks(self) -> VerificationError:
        found = ", ".join(listed(name) for name in sorted(self._seen) if name)
        return VerificationError(
            f"{self.archive} has no {os.fsdecode(b'/'.join(self.only))}",
            f"it has: {found or 'nothing'}",
            "it is a different release than the profile is for; get the one that fits",
        )

    def _add_file(self, name: bytes, member: Member, reader: ForwardReader) -> None:
        self._enter(name, member)
        descriptor = self._create(name, member)
        made, runs = hashlib.sha256(), bool(member.mode & 0o100)
        try:
            left = member.size
            while left:
                self.needed = left
                data = reader.read(min(left, CHUNK))
                if not data:
                    raise DamagedArchive(f"it is truncated inside member {shown(member.name)}")
                _write(descriptor, data)
                made.update(data)
                left -= len(data)
            os.fchmod(descriptor, 0o755 if runs else 0o644)
            moment = self._moment(member)
            os.utime(descriptor, (moment, moment))
        finally:
            os.close(descriptor)
        self._entries[name] = file_entry(made.hexdigest(), runs=runs)
        self._files += 1

    def _create(self, name: bytes, member: Member) -> int:
        path = self._path(name)
        try:
            return os.open(path, _CREATE, 0o644)
        except FileExistsError:
            self._replace(name, member)
            return os.open(path, _CREATE, 0o644)

    def _replace(self, name: bytes, member: Member) -> None:
        """Remove an earlier member of the same name, as tar does: the last one wins.

        The old name is removed, never written through, because it may be a link.
        """
        if name in self._folders:
            self._reject(member.name, "a folder of that name came before it")
        os.unlink(self._path(name))
        self._files -= 1
        self._links.pop(name, None)

    def _add_folder(self, name: bytes, member: Member, _: ForwardReader) -> None:
        if name not in self._folders:
            self._enter(name, member)
            self._make_folder(name, member)
        self._folders[name] = self._moment(member)

    def _add_symlink(self, name: bytes, member: Member, _: ForwardReader) -> None:
        self._enter(name, member)
        goal = member.link
        if not goal or b"\0" in goal or len(goal) > self.limits.path:
            self._reject(member.name, "it links to no usable name")
        if goal.startswith(b"/"):
            self._reject(member.name, f"it links to {shown(goal)}, out of the tree")
        path = self._path(name)
        if os.path.lexists(path):
            self._replace(name, member)
        os.symlink(goal, path)
        moment = self._moment(member)
        os.utime(path, (moment, moment), follow_symlinks=False)
        self._links[name] = goal
        self._entries[name] = link_entry(goal)
        self._files += 1

    def _add_hardlink(self, name: bytes, member: Member, _: ForwardReader) -> None:
        self._enter(name, member)
        goal = self._clean(member.link, member)
        folder = goal.rpartition(b"/")[0]
        # The target must be a real file in real folders, or link(2) would follow links.
        if not goal or folder not in self._folders or not _is_plain(self._path(goal)):
            self._reject(member.name, f"it links to {shown(member.link)}, no file of this archive")
        if goal == name:
            return
        path = self._path(name)
        if os.path.lexists(path):
            self._replace(name, member)
        os.link(self._path(goal), path, follow_symlinks=False)
        self._entries[name] = self._entries[goal]
        self._files += 1

    def _enter(self, name: bytes, member: Member) -> None:
        """Create the missing parent folders of ``name``."""
        missing = []
        folder = name.rpartition(b"/")[0]
        while folder not in self._folders:
            missing.append(folder)
            folder = folder.rpartition(b"/")[0]
        for folder in reversed(missing):
            self._implied += 1
            self._names += len(folder)
            self._count_files(member)
            self._make_folder(folder, member)
            self._folders[folder] = -1

    def _make_folder(self, name: bytes, member: Member) -> None:
        try:
            os.mkdir(self._path(name), 0o755)
        except FileExistsError:
            self._reject(member.name, f"{shown(name)} came before it and is not a folder")
        os.chmod(self._path(name), 0o755)  # noqa: S103 - whatever the umask is

    def _moment(self, member: Member) -> int:
        return min(max(member.mtime, 0), self._now)

    def _path(self, name: bytes) -> bytes:
        return self.root + b"/" + name

    def _reject(self, name: bytes, reason: str) -> NoReturn:
        raise VerificationError(
            f"{self.archive} is not a source archive to trust",
            f"member {shown(name)}: {reason}",
            "nothing of it was kept; find out where the archive comes from",
        )


def _is_plain(path: bytes) -> bool:
    return os.path.isfile(path) and not os.path.islink(path)


def _write(descriptor: int, data: bytes) -> None:
    """Write all of ``data``; a disk that fills up accepts a part first, then fails."""
    done = os.write(descriptor, data)
    while done < len(data):
        done += os.write(descriptor, memoryview(data)[done:])
