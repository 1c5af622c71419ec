"""Remove what the builder made, and nothing else.

Every removal names the folder that it may work in.  It descends through open folders, never by
names that somebody could replace meanwhile.  It follows no link and enters no other mount: mounts
below are detached first, and a mount that cannot be detached stops the removal.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shlex
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from builder.errors import EnvironmentFailure
from builder.host import mounts, process

_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_DEEPEST = 64  # open folders at once; deeper ones are first moved up
_MARK = ".removed-"
_LONGEST = 200  # bytes of the old name in the new name; a name has 255 (NAME_MAX, limits.h)


def remove(path: Path, below: Path) -> None:
    """Remove a file or a tree that is strictly below the folder ``below``.

    It may be missing, have read-only folders, or be removed by another process at the same time.
    The tree is renamed first, so that a kill never leaves half a tree under its name; ``sweep``
    finds the rest.  Raises EnvironmentFailure, and removes nothing, for a path that is not below
    ``below``, and for a tree with a mount that cannot be detached.
    """
    place = _inside(path, below)
    if place is None:
        return
    remaining = mounts.detach_below((place,))
    if remaining:
        raise EnvironmentFailure(
            f"cannot remove {path}",
            f"{remaining[0]} is mounted there",
            f"run: umount {remaining[0]}",
        )
    if place.name.startswith(".") and _MARK in place.name:
        doomed = place
    else:
        doomed = _free_name(place)
        try:
            place.rename(doomed)
        except FileNotFoundError:
            return
    try:
        _clear(doomed)
    except PermissionError:
        if os.geteuid() == 0:
            raise
        _clear_as_mapped_root(doomed)


def _clear_as_mapped_root(doomed: Path) -> None:
    """Remove a tree with files of the caller's subordinate users (subuid(5)): a killed root."""
    words = ("-m", "builder.host.removal", str(doomed), str(doomed.parent))
    with process.start(
        [sys.executable, *words],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.DEVNULL,
        own_namespaces=True,
        many_users=True,
    ) as running:
        _, complaint = running.communicate()
    if running.returncode != 0:
        last = (complaint.decode(errors="replace").strip().splitlines() or ["it failed"])[-1]
        raise EnvironmentFailure(
            f"cannot remove {doomed}",
            last,
            f"run: sudo rm -r --one-file-system {shlex.quote(str(doomed))}",
        )


def sweep(folder: Path, below: Path) -> None:
    """Remove what killed removals have left directly in ``folder``."""
    for leaving in leavings(folder):
        remove(leaving, below)


def leavings(folder: Path) -> tuple[Path, ...]:
    """What killed removals have left directly in ``folder``."""
    try:
        names = sorted(os.listdir(folder))  # noqa: PTH208 - of every folder in every run
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return ()
    return tuple(folder / name for name in names if name[0] == "." and _MARK in name[1:])


@contextlib.contextmanager
def scratch(parent: Path, prefix: str) -> Iterator[Path]:
    """A new folder in ``parent`` that others may enter; it is removed when the block ends."""
    folder = Path(tempfile.mkdtemp(dir=parent, prefix=prefix))
    try:
        folder.chmod(0o755)
        yield folder
    finally:
        remove(folder, parent)


def _inside(path: Path, below: Path) -> Path | None:
    """``path`` without links in its parents, None if nothing is there.

    The last part may be a link itself: then the link is removed.
    """
    if path.name in ("", ".", ".."):
        raise _refused(path, below)
    try:
        path.lstat()  # most often nothing is there: following links takes longer
        root = below.resolve(strict=True)
        place = path.parent.resolve(strict=True) / path.name
        place.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    if root not in place.parents:
        raise _refused(path, below)
    return place


def _refused(path: Path, below: Path) -> EnvironmentFailure:
    return EnvironmentFailure(
        f"the builder does not remove {path}",
        f"it is not below {below}, which is all that may be removed from here",
        "report this with the command that you ran",
    )


def _free_name(place: Path) -> Path:
    beginning = os.fsdecode(os.fsencode(place.name)[:_LONGEST])
    for number in itertools.count():
        name = place.with_name(f".{beginning}{_MARK}{os.getpid()}-{number}")
        if not name.is_symlink() and not name.exists():
            return name
    raise AssertionError("a count has no end")


def _clear(doomed: Path) -> None:
    """Remove a file, a link or a tree whose name is final."""
    parent = os.open(doomed.parent, _OPEN)
    try:
        top = _open_folder(doomed.name, parent)
        if top is None:
            return
        try:
            _Clearing(top, _mount_of(top)).run()
        finally:
            os.close(top)
        with contextlib.suppress(FileNotFoundError):
            os.rmdir(doomed.name, dir_fd=parent)
    finally:
        os.close(parent)


def _mount_of(folder: int) -> str:
    """The mount that an open folder is on (proc(5), fdinfo): a bind mount has a number, too."""
    for line in Path(f"/proc/self/fdinfo/{folder}").read_text(encoding="utf-8").splitlines():
        if line.startswith("mnt_id:"):
            return line
    return str(os.fstat(folder).st_dev)


def _open_folder(name: str, parent: int) -> int | None:
    """The folder ``name``, open; anything else of that name is removed."""
    try:
        if not stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
            os.unlink(name, dir_fd=parent)
            return None
        try:
            return os.open(name, _OPEN, dir_fd=parent)
        except PermissionError:
            os.chmod(name, 0o700, dir_fd=parent)
            return os.open(name, _OPEN, dir_fd=parent)
    except FileNotFoundError:
        return None


@dataclass
class _Clearing:
    """Empties the open folder ``top``, which stays; all folders must be on its ``mount``."""

    top: int
    mount: str
    _moved: itertools.count[int] = field(default_factory=itertools.count)

    def run(self) -> None:
        # Folders that were too deep have been moved to the top meanwhile.
        while self._empty(self.top, depth=0):
            pass

    def _empty(self, folder: int, depth: int) -> bool:
        """Empty a folder; returns whether something was moved to the top instead."""
        self._require_same_mount(folder)
        _make_writable(folder)
        moved = False
        with os.scandir(folder) as entries:
            names = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
        for name, is_folder in names:
            if is_folder:
                moved |= self._remove_folder(name, folder, depth)
            else:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(name, dir_fd=folder)
        return moved

    def _remove_folder(self, name: str, parent: int, depth: int) -> bool:
        if depth >= _DEEPEST:
            return self._move_up(name, parent)
        inner = _open_folder(name, parent)
        if inner is None:
            return False
        try:
            moved = self._empty(inner, depth + 1)
        finally:
            os.close(inner)
        with contextlib.suppress(FileNotFoundError):
            os.rmdir(name, dir_fd=parent)
        return moved

    def _move_up(self, name: str, parent: int) -> bool:
        inner = _open_folder(name, parent)
        if inner is None:
            return False
        try:
            self._require_same_mount(inner)
            _make_writable(inner)  # its ".." changes
        finally:
            os.close(inner)
        with contextlib.suppress(FileNotFoundError):
            target = f"{_MARK}{os.getpid()}-{next(self._moved)}"
            os.rename(name, target, src_dir_fd=parent, dst_dir_fd=self.top)
        return True

    def _require_same_mount(self, folder: int) -> None:
        if _mount_of(folder) != self.mount:
            place = os.readlink(f"/proc/self/fd/{folder}")  # noqa: PTH115 - not a path of ours
            raise EnvironmentFailure(
                f"cannot remove {place}",
                "something else is mounted there",
                f"run: umount {place}",
            )


def _make_writable(folder: int) -> None:
    mode = stat.S_IMODE(os.fstat(folder).st_mode)
    if mode & 0o700 != 0o700:
        os.fchmod(folder, 0o700)


if __name__ == "__main__":
    remove(Path(sys.argv[1]), Path(sys.argv[2]))
