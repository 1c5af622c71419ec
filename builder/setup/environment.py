"""The Python environment of a checkout: exactly what a lock names, whole or not at all.

``.venv`` is a link into ``.venvs/``, where every environment is made under a name of its own and is
not changed afterwards.  So its scripts' first lines stay right, a kill leaves a folder without a
link, and a run keeps its environment while another run makes a new one.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import stat
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import NoReturn

from builder import early
from builder.errors import EnvironmentFailure
from builder.host import flock, mounts, removal
from builder.invocation import SCRIPT
from builder.setup import contents, making
from builder.setup.making import USED, lock_of, refused
from builder.setup.packages import say

__all__ = ["ensure", "refused", "run"]

LINK, HOME = ".venv", ".venvs"
# Names of environments, and of what a removal that was killed leaves of them.
_OURS = re.compile(r"\.?(runtime|test)-\d{8}-\d{6}-\d+(\.removed-\d+-\d+)?")


def ensure(root: Path, kind: str) -> Path:
    """The folder of an environment for ``kind`` (a lock's name), made if none is in place.

    It stays as long as this process lives.  Raises EnvironmentFailure if it cannot be made, or
    OSError.
    """
    found = _current(root, kind)
    if found is None:
        # Others may run the builder, and containers read it as another user.
        os.umask(os.umask(0) & 0o022)
        with _alone(root):
            found = _current(root, kind) or _make(root, kind)
    return found


def run(folder: Path, words: Sequence[str]) -> NoReturn:
    """Run tasks in the environment with these words, and end as they do."""
    if Path(sys.prefix) == folder:  # this very interpreter: another start would take its time
        from builder import commandline  # noqa: PLC0415 - needs what the environment has

        commandline.main(import_module("tasks"), words)
    early.leave_word(str(folder.parents[1]))
    early.become([str(folder / "bin/python"), "-X", "utf8", "-m", "builder", *words])


def _current(root: Path, kind: str) -> Path | None:
    """The target of ``.venv``, if it is whole, starts and matches the current lock.

    It is locked from then on, so that others do not remove it.
    """
    folder = Path(os.path.realpath(root / LINK))  # a link to itself does no harm
    if folder.parent != root / HOME:
        return None
    lock = lock_of(root, kind)
    try:
        if (folder / lock.name).read_bytes() != lock.read_bytes():
            return None
        hold = os.open(folder / USED, os.O_RDONLY)
    except OSError:
        return None
    flock.take(hold, shared=True)
    os.set_inheritable(hold, True)  # by what this process becomes
    return folder if contents.is_whole(folder) and _starts(folder) else None


def _starts(folder: Path) -> bool:
    """Whether its interpreter works: it runs this process, or it is tried."""
    if Path(sys.prefix) == folder:
        return True
    argv = [str(folder / "bin/python"), "-I", "-S", "-c", ""]
    return subprocess.run(argv, capture_output=True, check=False).returncode == 0


@contextlib.contextmanager
def _alone(root: Path) -> Iterator[None]:
    """Keep other bootstraps of this checkout from making or removing environments."""
    home = root / HOME
    if home.is_symlink():
        raise EnvironmentFailure(
            f"bootstrap does not use {home}",
            f"it is a link to {home.readlink()}: environments are made and removed there",
            f"rm {shlex.quote(str(home))} (the link goes, what it leads to stays)",
        )
    home.mkdir(exist_ok=True)
    mode = stat.S_IMODE(home.stat().st_mode)
    if mode & 0o755 != 0o755:
        home.chmod(mode | 0o755)
    with (home / "lock").open("a", encoding="utf-8") as handle:
        if not flock.try_take(handle.fileno()):
            say("waiting for another bootstrap of this checkout")
            flock.take(handle.fileno())
        yield


def _make(root: Path, kind: str) -> Path:
    count = lock_of(root, kind).read_text(encoding="utf-8").count("==")
    home = root / HOME
    folder = home / f"{kind}-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
    _sweep(root)
    say(f"making {LINK}: {count} Python packages ({kind})")
    try:
        making.fill(root, folder, kind)
    except BaseException:
        _remove(folder, home)
        raise
    _lead(root, folder)
    script = shlex.quote(str(root / SCRIPT))
    say(f'for completion in this shell: eval "$({script} --print-completion-script=bash)"')
    found = _current(root, kind)
    if found is None:
        raise EnvironmentFailure(
            "the Python environment was changed while it was made", str(folder), "./bootstrap"
        )
    return found


def _lead(root: Path, folder: Path) -> None:
    """Point ``.venv`` to the new environment; a ``.venv`` that is not a link is kept."""
    link, aside = root / LINK, root / HOME / "link"
    aside.unlink(missing_ok=True)
    aside.symlink_to(Path(HOME) / folder.name)  # as seen from where it goes
    if link.is_symlink():
        if not _leads_home(link):
            say(f"{LINK} led to {link.readlink()}, which stays as it is")
    elif link.exists():
        kept = root / HOME / f"kept-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
        link.rename(kept)
        say(f"{LINK} was none of bootstrap's; it is kept as {HOME}/{kept.name}")
    aside.rename(link)


def _leads_home(link: Path) -> bool:
    return link.readlink().parent in (Path(HOME), link.parent / HOME)


def _sweep(root: Path) -> None:
    """Remove environments that are not linked and not in use, and what kills left.

    Everything else in the folder is somebody else's.
    """
    home = root / HOME
    current = os.path.realpath(root / LINK)
    for folder in sorted(home.iterdir()):
        if not _OURS.fullmatch(folder.name) or str(folder) == current:
            continue
        if folder.is_symlink() or not folder.is_dir():
            continue
        mounted = mounts.mounts_below((folder,))
        if mounted:
            say(f"{folder} is not removed: {mounted[0]} is mounted there")
        else:
            _remove_unless_used(folder, home)


def _remove_unless_used(folder: Path, home: Path) -> None:
    try:
        handle = os.open(folder / USED, os.O_RDONLY)
    except OSError:  # it was not finished
        _remove(folder, home)
        return
    try:
        if flock.try_take(handle):
            _remove(folder, home)
    finally:
        os.close(handle)


def _remove(folder: Path, home: Path) -> None:
    """Remove an environment; a failure is reported and otherwise ignored."""
    try:
        removal.remove(folder, home)
    except (EnvironmentFailure, OSError) as error:
        say(f"{folder} is not removed: {error}")
