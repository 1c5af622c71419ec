"""Who owns a cache's folder.  Only a folder with our mark is cleaned, and only of known names.

A cache carries ``CACHEDIR.TAG`` (the Cache Directory Tagging Specification, bford.info/cachedir),
for backup programs, and a mark of ours with the version of its layout.  The first command that
writes to a cache creates and marks it; somebody else's folder is never marked.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from enum import Enum
from pathlib import Path

import msgspec

from builder.console import Console
from builder.digest import decode
from builder.errors import EnvironmentFailure, UsageError
from builder.host import refusal
from builder.host.builduser import is_for_builds
from builder.host.lock import hold
from builder.host.paths import APPLICATION, CACHE_VARIABLE, Cache, project_around
from builder.host.removal import remove
from builder.host.space import is_full
from builder.host.whole import write_whole

TAG = "CACHEDIR.TAG"
TAG_TEXT = f"""\
Signature: 8a477f597d28d172789f06886806bc55
# This folder is the cache of {APPLICATION}; all of it can be made again.
# See https://bford.info/cachedir/
"""
MARK = f"{APPLICATION}.json"
LAYOUT = 3
"""Incremented when finished stages become unusable: they are then removed, sources are kept."""
_MODE = 0o700
_LOCK = "cache"
_TOLD = 4  # names in a message
_NO_ONES = frozenset({"lost+found"})  # ext4's own, in a file system for the cache alone
_ASIDE = re.compile(r"^\.(.+)\.(removed-)?[0-9][0-9-]*$")
_NOTE = re.compile(r"^accelerator-[0-9a-f-]+\.json$")
_LOCK_NAMES = re.compile(r"^(.*\.(lock|holder)|runs)$")
_HINT = f"set {CACHE_VARIABLE} to a new folder, or unset it"
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
# Folders directly in these belong to the system (Filesystem Hierarchy Standard 3.0).
_TOPS = frozenset(map(Path, ("/", "/dev", "/usr", "/usr/local", "/var")))


class State(Enum):
    """What a cache's folder is."""

    NEW = "missing or empty"
    MARKED = "a cache that carries our mark"
    EARLIER = "a cache of a version that made no marks"
    FOREIGN = "somebody else's"


class Mark(msgspec.Struct, frozen=True):
    """The mark of a cache.  ``layout``: the version of the cache's layout."""

    application: str
    layout: int


def examine(cache: Cache) -> State:
    """Who owns the folder; changes nothing.

    Raises EnvironmentFailure if it cannot be read, UsageError if it was made by a newer version
    or is among the checkout's files.
    """
    try:
        if not str(cache.root).isprintable():
            raise UsageError(
                f"the cache cannot be used: {refusal.shown(cache.root)}",
                "its name has a control character",
                _HINT,
            )
        _require_outside(cache)
        found = {entry.name for entry in os.scandir(cache.root)} - _NO_ONES
        layout = _marked_layout(cache.root / MARK)
        if layout > LAYOUT:
            raise UsageError(
                f"the cache {cache.root} was made by a newer version",
                f"its layout is {layout}, this version knows layouts up to {LAYOUT}",
                f"update this checkout, or {_HINT}",
            )
        if _holds_more(cache.root):
            return State.FOREIGN
        if layout:
            return State.MARKED
        if not found:
            return State.NEW
        return State.EARLIER if _is_earlier(cache, found) else State.FOREIGN
    except FileNotFoundError:
        return State.NEW
    except OSError as error:
        what = f"the cache {refusal.shown(cache.root)} cannot be used"
        raise refusal.told(error, what, _HINT) from error


def is_outdated(cache: Cache) -> bool:
    """Whether the cache's content is from an earlier version of the builder."""
    state = examine(cache)
    known = _marked_layout(cache.root / MARK) == LAYOUT
    return state is State.EARLIER or (state is State.MARKED and not known)


def strangers(cache: Cache) -> tuple[str, ...]:
    """Names in the cache that are not the builder's."""
    return tuple(
        sorted(entry.name for entry in os.scandir(cache.root) if not _is_known(cache, entry.name))
    )


@contextmanager
def use(cache: Cache, console: Console) -> Iterator[None]:
    """Keep the cache from being removed while something is written to it.

    Creates and marks it if necessary, and makes it private again.  Raises UsageError if the
    folder is somebody else's, EnvironmentFailure if it or a folder in it belongs to another user,
    or if it cannot be written.
    """
    if examine(cache) is not State.MARKED or is_outdated(cache):
        _own(cache, console)
    require_own(cache)
    _restore_mode(cache, console)
    with hold(cache.lock(_LOCK), "the cache", console, shared=True):
        yield


@contextmanager
def read(cache: Cache, console: Console) -> Iterator[None]:
    """Keep the cache from being removed while it is read; creates nothing.

    Raises UsageError and EnvironmentFailure for the folders that ``use`` refuses.
    """
    _refuse_foreign(cache)
    if cache.root.exists():
        require_own(cache)
    if examine(cache) is not State.MARKED:
        yield
        return
    with hold(cache.lock(_LOCK), "the cache", console, shared=True):
        yield


@contextmanager
def alone(cache: Cache, console: Console) -> Iterator[None]:
    """Wait until nobody uses the cache, and keep everybody out."""
    with hold(cache.lock(_LOCK), "the cache", console):
        yield


def _marked_layout(path: Path) -> int:
    """The layout's version; 0 if there is no mark, or none that can be read."""
    try:
        mark = decode(path.read_bytes(), Mark)
    except (FileNotFoundError, NotADirectoryError, msgspec.DecodeError):
        return 0
    return mark.layout if mark.application == APPLICATION else 0


def _holds_more(root: Path) -> bool:
    """Whether a home or the checkout is in the folder, as it never is in a cache."""
    place = root.resolve()
    project = project_around()
    homes = [] if project is None else [project.root]
    with contextlib.suppress(RuntimeError):  # a user without a home
        homes.append(Path.home().resolve())
    return any(place == home or place in home.parents for home in homes)


def _require_outside(cache: Cache) -> None:
    """Refuse a cache among files that people edit or that ``clean`` removes."""
    place = Path(os.path.realpath(cache.root))
    project = project_around()
    for folder in () if project is None else project.folders:
        if place.is_relative_to(os.path.realpath(folder)):
            raise UsageError(
                f"the cache cannot be {cache.root}",
                f"it is in {folder}, a folder of this checkout",
                _HINT,
            )


def _is_known(cache: Cache, name: str) -> bool:
    names = {folder.name for folder in (*cache.folders, cache.locks)} | {TAG, MARK} | _NO_ONES
    aside = _ASIDE.match(name)
    plain = aside[1] if aside else name
    return plain in names or _NOTE.match(plain) is not None


def _is_earlier(cache: Cache, found: set[str]) -> bool:
    """Whether an earlier version made it: its runs left a lock, and only known names."""
    return (
        cache.locks.is_dir()
        and (any(cache.locks.iterdir()) or found == {cache.locks.name})
        and all(_is_known(cache, name) for name in found)
        and all(_LOCK_NAMES.match(entry.name) for entry in os.scandir(cache.locks))
        and all(folder.is_dir() for folder in cache.folders if folder.name in found)
    )


def _own(cache: Cache, console: Console) -> None:
    """Create the folder if it is missing, and mark it; once in its life."""
    _refuse_foreign(cache)
    try:
        if cache.root.exists() and examine(cache) is not State.MARKED:
            _require_spare(cache)
        cache.root.mkdir(mode=_MODE, parents=True, exist_ok=True)
        require_own(cache)
        with alone(cache, console):
            state = examine(cache)
            if state is State.MARKED and not is_outdated(cache):  # by another run, meanwhile
                return
            _refuse_foreign(cache)
            if any(folder.exists() for folder in cache.folders):
                console.say(f"{cache.root} is a cache of an earlier version: taking it over")
                console.say("finished stages are made anew, sources are kept")
                _clear_earlier(cache, console)
            cache.root.chmod(_MODE)
            write_whole(cache.root / TAG, TAG_TEXT.encode())
            write_whole(cache.root / MARK, msgspec.json.encode(Mark(APPLICATION, LAYOUT)) + b"\n")
    except OSError as error:
        if is_full(error):  # the caller reports it as such
            raise
        what = f"the cache {refusal.shown(cache.root)} cannot be made"
        raise refusal.told(error, what, _HINT) from error


def _refuse_foreign(cache: Cache) -> None:
    if examine(cache) is State.FOREIGN:
        raise foreign(cache)


def foreign(cache: Cache) -> UsageError:
    """The refusal of a folder that is not a cache of ours."""
    if _holds_more(cache.root):
        reason = "a home or this checkout is in it"
    else:
        others = strangers(cache) or tuple(sorted(entry.name for entry in os.scandir(cache.root)))
        more = f" and {len(others) - _TOLD} more" if len(others) > _TOLD else ""
        reason = f"it holds {', '.join(others[:_TOLD])}{more}, and has no mark ({MARK})"
    return UsageError(f"{cache.root} is not the builder's cache", reason, _HINT)


def require_own(cache: Cache) -> None:
    """Refuse an existing cache that others own or can replace, or that leads elsewhere.

    Raises EnvironmentFailure if it, its mark or one of its folders is another user's, UsageError
    if all users share the folder, or if a link is in the place of a folder.
    """
    _require_owner(cache)
    if cache.root.stat().st_mode & stat.S_ISVTX:
        raise UsageError(
            f"the cache cannot be {cache.root}",
            "it is a folder that users share (its sticky bit is set)",
            _HINT,
        )
    for path in (*cache.folders, cache.locks, cache.root / MARK):
        with contextlib.suppress(FileNotFoundError):
            _require_own_part(cache, path)


def _require_owner(cache: Cache) -> None:
    owner = cache.root.stat().st_uid
    if owner != os.geteuid():
        raise EnvironmentFailure(
            f"the cache {cache.root} belongs to another user",
            f"it is owned by user {owner}, and you are user {os.geteuid()}",
            f"run as that user, or {_HINT}",
        )


def _require_own_part(cache: Cache, path: Path) -> None:
    """Refuse a link or another user's file; only the engine may be a link, to a larger disk."""
    found = path.stat() if path == cache.engine else path.lstat()
    if stat.S_ISLNK(found.st_mode):
        raise UsageError(
            f"the cache {cache.root} cannot be used",
            f"{path} is a link to {path.readlink()}, and no link is followed in a cache",
            f"rm {shlex.quote(str(path))}, or {_HINT}",
        )
    if found.st_uid == os.geteuid() or (
        path in (cache.ccache, cache.ccache_shared, cache.ccache_workers)
        and _is_builds(found.st_uid)
    ):
        return
    raise EnvironmentFailure(
        f"{path} belongs to another user",
        f"it is owned by user {found.st_uid}, and you are user {os.geteuid()}",
        f"remove it if you know whose it is: rm -r {shlex.quote(str(path))}; or {_HINT}",
    )


def _is_builds(owner: int) -> bool:
    """Whether root's builds run as that user: they write to the compiler's cache."""
    return os.geteuid() == 0 and is_for_builds(owner)


def _require_spare(cache: Cache) -> None:
    """Refuse an unmarked folder that others use, because it would become private."""
    _require_owner(cache)
    reason = ""
    if Path(os.path.realpath(cache.root)).parent in _TOPS:
        reason = "it is one of the system's folders"
    elif cache.root.stat().st_mode & (_OTHERS_WRITE | stat.S_ISVTX):
        mode = stat.S_IMODE(cache.root.stat().st_mode)
        reason = f"others may write to it (mode {mode:o}), and the cache is one user's alone"
    if reason:
        place = shlex.quote(str(cache.root / APPLICATION))
        hint = f"name a new folder: {CACHE_VARIABLE}={place}"
        if examine(cache) is State.EARLIER:
            hint = f"chmod 700 {shlex.quote(str(cache.root))}, if all in it is yours; or {_HINT}"
        raise UsageError(f"{cache.root} does not become a cache", reason, hint)


def _restore_mode(cache: Cache, console: Console) -> None:
    mode = stat.S_IMODE(cache.root.stat().st_mode)
    if mode != _MODE:
        cache.root.chmod(_MODE)
        console.say(f"the cache {cache.root} had mode {mode:o}: it is {_MODE:o} again")


def _clear_earlier(cache: Cache, console: Console) -> None:
    """Remove folders that have another layout now; keep what took time to make.

    A run of the earlier version may be under way: it holds its profile's lock.
    """
    with ExitStack() as stack:
        for pattern in ("profile *.lock", "lab of *.lock"):
            for lock in sorted(cache.locks.glob(pattern)):
                stack.enter_context(hold(lock, lock.stem, console))
        for folder in (cache.scratch, cache.stages, cache.ledger, cache.bench):
            remove(folder, cache.root)
        for run in cache.logs.iterdir() if cache.logs.is_dir() else ():
            if run.is_dir() and not run.is_symlink():
                remove(run, cache.logs)
