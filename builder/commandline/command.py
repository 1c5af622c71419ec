"""The context in which every task runs: its place, its signals, and how a failure ends it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from invoke.context import Context
from invoke.exceptions import Exit

from builder.commandline.vocabulary import PROFILE
from builder.commands.interruption import interruptible, leave
from builder.console import Console, put_json
from builder.errors import Interrupted, UsageError
from builder.host.paths import Cache, Project, find_cache, find_project
from builder.place import Place

# The user that containers run as must be able to read the files, whatever the caller's umask.
UMASK = 0o022


@contextmanager
def command(
    context: Context,
    profile: str | None = None,
    *,
    json: bool = False,
    project: Project | None = None,
) -> Iterator[Place]:
    """Run a task's block; a failure ends in three lines and its exit code, never a traceback.

    ``context``: the task's context, which sets the verbosity.  ``profile``: the profile that
    hints name.  ``json``: report a failure in JSON, too.  ``project``: the project to work on;
    by default the project that the user is in.
    """
    os.umask(UMASK)
    cache: Cache | None = None
    try:
        cache = find_cache()
        console = _console(context)
        with interruptible():
            yield Place(project or find_project(), cache, console)
    except Exit:  # a command's own exit status, such as the shell's
        raise
    except (KeyboardInterrupt, Exception) as caught:
        from builder.commands import outcome  # noqa: PLC0415 - only for errors

        named = "" if profile in {None, PROFILE} else profile or ""
        if json and (answer := outcome.answer(caught, cache, named)):
            put_json(answer)
        message, code = outcome.of(caught, cache, named)
        if code == Interrupted.exit_code:
            leave(message, code)
        raise Exit(message, code) from None


def _console(context: Context) -> Console:
    quiet, verbose = (bool(context.get(name, False)) for name in ("quiet", "verbose"))
    if quiet and verbose:
        raise UsageError(
            "--quiet and --verbose contradict each other",
            "one says less, the other more",
            "leave one of them out",
        )
    return Console(quiet=quiet, verbose=verbose)
