"""The few files that a series touches: copied out of a tree, and put back when all is well."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from builder.errors import PatchError, VerificationError
from builder.shown import printable

_OTHERS = ".files-that-no-patch-touches"
_ANOTHER_VERSION = "check that the patch is for this source version"


def bring(tree: Path, names: Iterable[str], scratch: Path) -> None:
    """Copy the files of these ``names`` into ``scratch``, with the folders that they lie in.

    The folders count when GNU patch chooses the name of a new file.  Raises
    VerificationError if one leads out of the tree through a symbolic link, PatchError for
    one that is a link inside of it.
    """
    wanted = frozenset(names)
    for name in sorted(wanted):
        _require_no_link(tree, name)
        _copy_folders(tree, name, scratch, wanted)
        _copy(tree / name, scratch / name)


def _copy(source: Path, target: Path) -> None:
    """Copy a regular file; anything else becomes a folder.

    patch(1) explicitly refuses to patch a folder, which is the wanted answer for devices, pipes and
    real folders.
    """
    if not source.exists():
        return
    if source.is_file():
        shutil.copyfile(source, target)
        target.chmod(stat.S_IMODE(source.stat().st_mode) | stat.S_IWUSR | stat.S_IRUSR)
    else:
        target.mkdir(exist_ok=True)


def _copy_folders(tree: Path, name: str, scratch: Path, wanted: frozenset[str]) -> None:
    for folder in reversed(PurePosixPath(name).parents[:-1]):
        if not (tree / folder).is_dir():
            return
        (scratch / folder).mkdir(exist_ok=True)
        others = (str(folder / entry.name) for entry in (tree / folder).iterdir())
        if not all(one in wanted for one in others):
            (scratch / folder / _OTHERS).touch()  # or patch(1) would remove it with its last file


def _require_no_link(tree: Path, name: str) -> None:
    here = tree
    for part in PurePosixPath(name).parts:
        here = here / part
        if here.is_symlink():
            raise _refuse_link(tree, here, name)


def _refuse_link(tree: Path, link: Path, name: str) -> VerificationError | PatchError:
    goal = link.resolve()
    where, to, name = (
        printable(str(path)) for path in (link.relative_to(tree), link.readlink(), name)
    )
    if not goal.is_relative_to(tree.resolve()):
        return VerificationError(
            f"a patch for {name} would leave the tree",
            f"{where} is a symbolic link to {to}, outside of it",
            "the source is not what the patch is for, or is hostile; do not patch it",
        )
    return PatchError(
        f"{name} cannot be patched",
        f"{where} is a symbolic link to {to}",
        f"make the patch for the file itself: {printable(str(goal.relative_to(tree.resolve())))}",
    )


def require_place(tree: Path, names: Iterable[str], *, new: bool) -> None:
    """Raises PatchError if none of these ``names`` of one file can be a file in the tree.

    ``new``: the patch makes the file; for other files, patch(1) reports a folder in their place.
    """
    obstacles = [_find_obstacle(tree, name, new=new) for name in names]
    first = obstacles[0]
    if first is not None and all(obstacles):
        raise first


def require_same_kinds(tree: Path, names: Iterable[str], scratch: Path) -> None:
    """Raises PatchError if a file would have to replace a folder, or the reverse."""
    for name in sorted(names):
        if (scratch / name).is_file():
            require_place(tree, [name], new=True)


def _find_obstacle(tree: Path, name: str, *, new: bool) -> PatchError | None:
    shown = printable(name)
    if new and (tree / name).is_dir():
        return PatchError(
            f"{shown} cannot be patched",
            f"{shown} is a folder in this tree, and the patch makes a file of that name",
            _ANOTHER_VERSION,
        )
    for folder in PurePosixPath(name).parents[:-1]:
        if (tree / folder).exists() and not (tree / folder).is_dir():
            return PatchError(
                f"{shown} cannot be patched",
                f"{printable(str(folder))} is a file in this tree, the patch needs a folder there",
                _ANOTHER_VERSION,
            )
    return None


def publish(made: Path, target: Path, tree: Path) -> None:
    """Give the tree's file the state of its patched copy, if they differ."""
    if not made.is_file():
        if target.is_file():
            target.unlink()
            _remove_empty_folders(target.parent, tree)
        return
    mode = _mode(made, target)
    if target.exists():
        same_mode = stat.S_IMODE(target.stat().st_mode) == mode
        if same_mode and made.read_bytes() == target.read_bytes():
            return
    target.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=".patched-", dir=target.parent)
    os.close(descriptor)
    aside = Path(name)
    try:
        shutil.copyfile(made, aside)
        aside.chmod(mode)
        aside.replace(target)
    finally:
        aside.unlink(missing_ok=True)


def _mode(made: Path, target: Path) -> int:
    """The mode that git would give: unchanged, unless the patch changes whether it is executable.

    New files get 0644 or 0755 whatever the umask, so that trees are the same everywhere.
    """
    runs = bool(stat.S_IMODE(made.stat().st_mode) & stat.S_IXUSR)
    if target.exists():
        before = stat.S_IMODE(target.stat().st_mode)
        if bool(before & stat.S_IXUSR) == runs:
            return before
    return 0o755 if runs else 0o644


def _remove_empty_folders(folder: Path, tree: Path) -> None:
    """As patch(1) does after it has removed the last file."""
    while folder != tree and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent
