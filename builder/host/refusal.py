"""Report an error of the operating system: the path, its owner, and our own user."""

from __future__ import annotations

import errno
import os
import pwd
import shlex
import shutil
import stat
from pathlib import Path

from builder.errors import EnvironmentFailure
from builder.host.paths import CACHE_VARIABLE

_LONGEST = 200  # characters of a path in a message
_DENIED = frozenset({errno.EACCES, errno.EPERM})
_TOO_MANY = frozenset({errno.EMFILE, errno.ENFILE})
_ELSEWHERE = f"set {CACHE_VARIABLE} to a new folder, if it is the cache"


def told(error: OSError, what: str = "", hint: str = "") -> EnvironmentFailure:
    """The EnvironmentFailure for ``error``, with the path that it names and its owner.

    ``what`` and ``hint``: more exact texts than the general ones, if the caller has them.
    """
    path = _path(error)
    reason = _reason(error)
    place = "" if path is None else shown(path)
    lines = [f"{place}: {reason}" if place else reason]
    if path is not None:
        lines.append(_whose(path))
    failure = EnvironmentFailure(
        what or (f"cannot use {place}" if place else "the operating system refused a request"),
        "\n".join(lines),
        hint or _hint(error, path),
    )
    failure.__cause__ = error
    return failure


def shown(path: Path) -> str:
    """A path for a message: not too long, and without control characters."""
    text = str(path)
    cut = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
    return cut if cut.isprintable() else repr(cut)


def _path(error: OSError) -> Path | None:
    """The path that the error names; of two paths, the one to be written (rename, link)."""
    if isinstance(error, shutil.Error):  # one (source, target, reason) for each file of a tree
        entries = error.args[0]
        return Path(str(entries[0][1])) if isinstance(entries, list) and entries else None
    name = error.filename2 or error.filename
    return Path(os.fsdecode(name)) if isinstance(name, str | bytes) else None


def _reason(error: OSError) -> str:
    if isinstance(error, shutil.Error) and isinstance(error.args[0], list) and error.args[0]:
        return str(error.args[0][0][-1])
    return error.strerror or str(error) or type(error).__name__


def _whose(path: Path) -> str:
    """``/srv/cache (a folder, mode 755) belongs to root (0); this process runs as ci (1000)``.

    If the path does not exist, the nearest folder above it is reported.
    """
    me = f"this process runs as {_user(os.geteuid())}"
    for place in (path, *path.absolute().parents):
        try:
            found = place.stat()
        except OSError:
            continue
        kind = "a folder" if stat.S_ISDIR(found.st_mode) else "not a folder"
        mode = f"{stat.S_IMODE(found.st_mode):o}"
        return f"{shown(place)} ({kind}, mode {mode}) belongs to {_user(found.st_uid)}; {me}"
    return me


def _user(number: int) -> str:
    try:
        return f"{pwd.getpwuid(number).pw_name} ({number})"
    except (KeyError, OSError):
        return f"user {number}"


def _hint(error: OSError, path: Path | None) -> str:
    if error.errno in _TOO_MANY:
        return "allow more open files, and run it again: ulimit -n 4096"
    if error.errno == errno.ENAMETOOLONG:
        return f"move the checkout or the cache to a shorter path ({_ELSEWHERE})"
    if path is None:
        return "run `invoke doctor`"
    look = f"ls -lad {shlex.quote(shown(path))}"
    if error.errno in _DENIED:
        return f"run it as the owner, or {_ELSEWHERE}; to look at it: {look}"
    if error.errno == errno.EROFS:
        return f"mount it writable, or {_ELSEWHERE}; to look at it: {look}"
    return f"look at it: {look}; {_ELSEWHERE}"
