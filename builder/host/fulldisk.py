"""Recognise failures that a full disk caused, and report the file system and its free space.

Programs report a full disk in their own words, some not at all, because they had no space for
the message.  So the file systems that a run writes to are checked after a failure, too.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from builder.errors import (
    BuilderError,
    BuildError,
    DiskFull,
    EnvironmentFailure,
    Interrupted,
    UsageError,
)
from builder.host import refusal, space
from builder.host.buildlog import read_tail
from builder.host.paths import Cache, project_around
from builder.host.space import FileSystem, file_system

MOST_LINES = 3


def places(cache: Cache) -> tuple[Path, ...]:
    """The folders that a run writes to: any of them may be a file system of its own."""
    folders = (cache.scratch, cache.stages, cache.ccache, cache.logs, cache.engine, cache.blobs)
    objects = (cache.ccache_shared, cache.ccache_workers)
    return (*folders, *objects, cache.ledger, cache.locks, _temporary(), *project())


def project() -> tuple[Path, ...]:
    """The project's folder, if there is one here."""
    found = project_around()
    return () if found is None else (found.root,)


def _temporary() -> Path:
    try:
        return Path(tempfile.gettempdir())
    except OSError:  # every folder that it tried is full
        return Path(os.environ.get("TMPDIR", "/tmp"))  # noqa: S108 - only looked at


def told(error: Exception, written: Iterable[Path]) -> Exception:
    """``error`` itself, or a DiskFull if a full disk caused it.

    Any other error of the operating system becomes an EnvironmentFailure.
    ``written``: the folders to check, see ``places``.
    """
    if isinstance(error, DiskFull | Interrupted | UsageError):
        return error
    words = _words(error)
    try:
        systems = _systems(error, written)
    except OSError:  # the file systems cannot be read either
        return refusal.told(error) if isinstance(error, OSError) else error
    if not words and not (_may_be_silent(error) and systems[0].is_full):
        return refusal.told(error) if isinstance(error, OSError) else error
    failure = _of_builder(error, words) if isinstance(error, BuilderError) else _of_other(words)
    if space.KNOWS_NEED not in failure.cause:
        silent = "" if words else "no space left: "
        failure.cause = f"{failure.cause}\n{silent}{systems[0]}".lstrip()
    failure.__cause__ = error
    return failure


def _of_builder(error: BuilderError, words: str) -> DiskFull:
    own = error.hint if isinstance(error, EnvironmentFailure) else ""
    # The log's message about the disk, rather than errors that followed from it.
    cause = error.cause if not words or space.tells_full(error.cause) else words
    return DiskFull(error.what, cause, own or _HINT, log=error.log, stage=error.stage)


def _of_other(words: str) -> DiskFull:
    return DiskFull("no space is left to go on", words, _HINT)


_HINT = (
    "free space there (`invoke clean` drops what can be made again), or set LVS_BUILDER_CACHE, or "
    "TMPDIR for a temporary folder, to a folder on a larger disk; what was finished is kept"
)


def _may_be_silent(error: Exception) -> bool:
    """Whether a failed program may have had no space to say why."""
    return isinstance(error, BuildError | EnvironmentFailure)


def _words(error: Exception) -> str:
    """The message of ``error`` or its log about a full disk; empty if there is none."""
    if isinstance(error, shutil.Error):  # one (source, target, reason) for each file of a tree
        reasons = [str(entry[-1]) for entry in error.args[0]]
        return next((reason for reason in reasons if space.tells_full(reason)), "")
    if isinstance(error, OSError) and space.is_full(error):
        return str(error)
    if not isinstance(error, BuilderError):
        return "\n".join(_telling(str(error).splitlines()))
    if space.tells_full(str(error)):
        return error.cause
    if isinstance(error, BuildError) and error.log is not None and error.log.is_file():
        return "\n".join(_telling(read_tail(error.log)))
    return ""


def _telling(lines: Iterable[str]) -> list[str]:
    return [line.strip() for line in lines if space.tells_full(line)][:MOST_LINES]


def _systems(error: Exception, written: Iterable[Path]) -> list[FileSystem]:
    """The error's own file system if it names a file, else all, the fullest first."""
    named = list(_named(error))
    found = {system.mount: system for system in map(file_system, named or written)}
    return sorted(found.values(), key=lambda system: (not system.is_full, system.free))


def _named(error: Exception) -> Iterator[Path]:
    # With two files, the second one was to be written (rename, link, copy).
    if isinstance(error, OSError) and space.is_full(error):
        name = error.filename2 or error.filename
        if isinstance(name, str | bytes):
            yield Path(os.fsdecode(name)).absolute()
