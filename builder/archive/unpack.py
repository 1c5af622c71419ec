"""Unpacking a source archive (tar or RPM) that nobody has vouched for yet, as fast as tar does.

The standard library's ``extractall`` is neither: it takes twice the time of tar and lets
through what a source tree never has (device nodes, files that turn into folders).  Here
everything below ``target`` is made by this code, folder by folder, so a name can be judged
without asking the disk: a parent that is not a folder made here is not passed through.
"""

# Names are bytes here, as a tar has them: pathlib has no such paths, and takes its time.
# ruff: noqa: PTH101, PTH102, PTH108, PTH113, PTH114, PTH115, PTH211

from __future__ import annotations

import hashlib
import os
import tarfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from builder.archive import cpio, rpm
from builder.archive.space import full_disk, is_full_disk
from builder.archive.stream import CHUNK, ForwardReader, members, open_stream
from builder.errors import UsageError, VerificationError
from builder.host.listing import FOLDER, Listing, file_entry, link_entry
from builder.host.removal import remove

if TYPE_CHECKING:
    from builder.console import Console

_NAME_BYTES = 255  # NAME_MAX, limits.h
_HOPS = 40  # links followed in one name; path_resolution(7)
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_SHOWN = 20  # names in a message
_REPORT = 256  # members between two progress reports


@dataclass(frozen=True)
class Limits:
    """How large an archive may become: ``files`` (members), ``bytes``, and ``path`` in bytes."""

    files: int = 500_000
    bytes: int = 16 << 30
    path: int = 4095


@dataclass(frozen=True)
class Unpacked:
    """What came out: number of files (links included, folders not) and their bytes.

    ``listing``: of all that was written, with digests of the bytes as they went by.
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
    """Unpack a tar (plain, xz, lzma, gzip, bzip2, zstd) or what is in an RPM into ``target``, a
    new or empty folder.

    ``strip`` leading components are cut off as tar's --strip-components does: by default one of
    a tar, none of an RPM.  ``only``: a folder of the archive; just what is below it comes out,
    and lies directly in ``target``.  Files become 0644 or 0755, folders 0755, all of the
    calling user; times are kept, but never before 1970 or in the future.  If it fails,
    ``target`` is removed again.

    Raises VerificationError that names the member (names or links that lead out, special
    files, bombs, damage), EnvironmentFailure if the disk is full or the decompressor missing,
    UsageError if ``target`` is not empty.
    """
    offset = rpm.read(archive).payload if rpm.is_rpm(archive) else 0
    target.mkdir(parents=True, exist_ok=True)
    if any(target.iterdir()):
        raise UsageError(
            f"cannot unpack {archive.name}", f"{target} is not empty", "name an empty folder"
        )
    listed = cpio.members if offset else members
    strip = (0 if offset else 1) if strip is None else strip
    below = tuple(os.fsencode(only).split(b"/")) if only else ()
    tree = _Tree(archive.name, os.fsencode(target), limits, strip, below)
    try:
        with (
            open_stream(archive, limits.bytes + limits.files * CHUNK, offset) as (reader, packed),
            console.progress(f"unpack {archive.name}", archive.stat().st_size, "B") as progress,
        ):
            for count, member in enumerate(listed(reader)):
                tree.add(member, reader)
                if count % _REPORT == 0:
                    progress.advance(_position(packed.fileno()) - progress.done)
        return tree.finish()
    except OSError as error:
        # Removed first: the message then tells the room that the next try will find.
        remove(target, target.parent)
        if is_full_disk(error):
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
    _links: list[bytes] = field(default_factory=list)
    _seen: set[bytes] = field(default_factory=set)  # folders that ``only`` could have named
    _entries: dict[bytes, bytes] = field(default_factory=dict)  # links and files
    _members: int = 0
    _files: int = 0
    _bytes: int = 0

    def add(self, member: tarfile.TarInfo, reader: ForwardReader) -> None:
        """Make one member; its data is what ``reader`` gives next."""
        self._count(member)
        name = self._clean(member.name, member)
        maker = self._maker(member)
        if name:
            maker(name, member, reader)

    def finish(self) -> Unpacked:
        """Check where the links lead and set the folders' times."""
        for link in self._links:
            self._follow(link)
        for folder, moment in sorted(self._folders.items(), reverse=True):
            if moment >= 0:
                os.utime(self._path(folder), (moment, moment))
        if not self._members:
            raise VerificationError(f"{self.archive} is empty", "no member in it", "fetch it again")
        if self.only and not self._files:
            raise self._lacks()
        folders = {folder: FOLDER for folder in self._folders if folder}
        return Unpacked(self._files, self._bytes, Listing(folders | self._entries))

    def _maker(
        self, member: tarfile.TarInfo
    ) -> Callable[[bytes, tarfile.TarInfo, ForwardReader], None]:
        if member.isreg() and not member.issparse():
            return self._add_file
        if member.isdir():
            return self._add_folder
        if member.issym():
            return self._add_symlink
        if member.islnk():
            return self._add_hardlink
        kinds = {
            tarfile.CHRTYPE: "a device node",
            tarfile.BLKTYPE: "a device node",
            tarfile.FIFOTYPE: "a named pipe",
        }
        kind = kinds.get(member.type, f"of a kind that sources do not have ({member.type!r})")
        return self._reject(member.name, f"it is {kind}")

    def _count(self, member: tarfile.TarInfo) -> None:
        self._members += 1
        self._bytes += member.size if member.isreg() else 0
        if member.size < 0:
            self._reject(member.name, f"its size is {member.size}")
        if self._members > self.limits.files:
            self._reject(member.name, f"more than {self.limits.files} members")
        if self._bytes > self.limits.bytes:
            self._reject(member.name, f"more than {self.limits.bytes} bytes come out")

    def _clean(self, text: str, member: tarfile.TarInfo) -> bytes:
        """``text`` as a name below the root, or an empty name if it is cut off whole."""
        name = os.fsencode(text)
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
        return b"/".join(kept)

    def _keep(self, parts: list[bytes]) -> list[bytes]:
        """The parts of a name that remain, none if the member is not wanted."""
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
        found = ", ".join(sorted(os.fsdecode(name) for name in self._seen if name))
        return VerificationError(
            f"{self.archive} has no {os.fsdecode(b'/'.join(self.only))}",
            f"it has: {found or 'nothing'}",
            "it is another release than the profile is for; get the one that fits",
        )

    def _add_file(self, name: bytes, member: tarfile.TarInfo, reader: ForwardReader) -> None:
        self._enter(name, member)
        descriptor = self._create(name, member)
        made, runs = hashlib.sha256(), bool(member.mode & 0o100)
        try:
            left = member.size
            while left:
                self.needed = left
                data = reader.read(min(left, CHUNK))
                if not data:
                    raise tarfile.ReadError(f"it ends within {member.name}")
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

    def _create(self, name: bytes, member: tarfile.TarInfo) -> int:
        path = self._path(name)
        try:
            return os.open(path, _CREATE, 0o644)
        except FileExistsError:
            self._replace(name, member)
            return os.open(path, _CREATE, 0o644)

    def _replace(self, name: bytes, member: tarfile.TarInfo) -> None:
        """Make room for a member whose name was used before, as tar does: the last one wins.

        The old name is taken away, never written through: it may be a link.
        """
        if name in self._folders:
            self._reject(member.name, "a folder of that name came before it")
        os.unlink(self._path(name))
        self._files -= 1
        if name in self._links:
            self._links.remove(name)

    def _add_folder(self, name: bytes, member: tarfile.TarInfo, _: ForwardReader) -> None:
        if name not in self._folders:
            self._enter(name, member)
            self._make_folder(name, member)
        self._folders[name] = self._moment(member)

    def _add_symlink(self, name: bytes, member: tarfile.TarInfo, _: ForwardReader) -> None:
        self._enter(name, member)
        goal = os.fsencode(member.linkname)
        if not goal or b"\0" in goal or len(goal) > self.limits.path:
            self._reject(member.name, "it links to no usable name")
        if goal.startswith(b"/"):
            self._reject(member.name, f"it links to {member.linkname}, out of the tree")
        path = self._path(name)
        if os.path.lexists(path):
            self._replace(name, member)
        os.symlink(goal, path)
        moment = self._moment(member)
        os.utime(path, (moment, moment), follow_symlinks=False)
        self._links.append(name)
        self._entries[name] = link_entry(goal)
        self._files += 1

    def _add_hardlink(self, name: bytes, member: tarfile.TarInfo, _: ForwardReader) -> None:
        self._enter(name, member)
        goal = self._clean(member.linkname, member)
        folder = goal.rpartition(b"/")[0]
        # Only real folders on the way and a real file at its end, or link(2) would follow.
        if not goal or folder not in self._folders or not _is_plain(self._path(goal)):
            self._reject(member.name, f"it links to {member.linkname}, no file of this archive")
        if goal == name:
            return
        path = self._path(name)
        if os.path.lexists(path):
            self._replace(name, member)
        os.link(self._path(goal), path, follow_symlinks=False)
        self._entries[name] = self._entries[goal]
        self._files += 1

    def _enter(self, name: bytes, member: tarfile.TarInfo) -> None:
        """Make the folders above ``name`` that are not there yet."""
        folder = name.rpartition(b"/")[0]
        if folder in self._folders:
            return
        self._enter(folder, member)
        self._make_folder(folder, member)
        self._folders[folder] = -1

    def _make_folder(self, name: bytes, member: tarfile.TarInfo) -> None:
        try:
            os.mkdir(self._path(name), 0o755)
        except FileExistsError:
            self._reject(member.name, f"{os.fsdecode(name)} came before it and is no folder")
        os.chmod(self._path(name), 0o755)  # noqa: S103 - whatever the umask is

    def _follow(self, link: bytes) -> None:
        """Refuse a link that leads out, also by way of other links."""
        here = link.split(b"/")[:-1]
        todo = os.readlink(self._path(link)).split(b"/")[::-1]
        hops = 0
        while todo:
            part = todo.pop()
            if part in (b"", b"."):
                continue
            if part == b"..":
                if not here:
                    self._reject(os.fsdecode(link), "it links out of the tree")
                here.pop()
                continue
            here.append(part)
            path = self._path(b"/".join(here))
            if os.path.islink(path):
                hops += 1
                if hops > _HOPS:
                    self._reject(os.fsdecode(link), "it links to itself")
                here.pop()
                todo.extend(os.readlink(path).split(b"/")[::-1])

    def _moment(self, member: tarfile.TarInfo) -> int:
        return int(min(max(member.mtime, 0), self._now))

    def _path(self, name: bytes) -> bytes:
        return self.root + b"/" + name

    def _reject(self, name: str, reason: str) -> NoReturn:
        shown = name.encode("utf-8", "backslashreplace").decode()
        raise VerificationError(
            f"{self.archive} is not a source archive to trust",
            f"member {shown[:300]!r}: {reason}",
            "nothing of it was kept; find out where the archive comes from",
        )


def _is_plain(path: bytes) -> bool:
    return os.path.isfile(path) and not os.path.islink(path)


def _write(descriptor: int, data: bytes) -> None:
    """Write all of ``data``; a disk that fills up takes a part first, then fails."""
    done = os.write(descriptor, data)
    while done < len(data):
        done += os.write(descriptor, memoryview(data)[done:])
