"""How a failed command ends: the message for the user, and the exit code."""

from __future__ import annotations

import sys
import traceback

from builder import colour, folding
from builder.commands import shell
from builder.commands.interruption import interrupted
from builder.errors import BuilderError
from builder.host import fulldisk, outlets
from builder.host.paths import Cache
from builder.report import failure
from builder.shown import shown

COPY = (
    "the file is the builder's copy: change what it was made of (the archive of the source, or "
    "your own patch in patches/), never the copy"
)
LOG_LINES = 200
"""How much of a failed stage's log is shown in CI; the rest is in artifacts/<profile>/logs/."""
BUG = "this is a bug in the builder; please report it with the lines above"


def of(caught: BaseException, cache: Cache | None, profile: str = "") -> tuple[str, int]:
    """Text and exit code for an exception; a traceback is printed for bugs only.

    An error of the operating system is not a bug.  The text is empty if nobody reads it any more.
    ``cache``: None if its place could not be determined.  ``profile``: the profile in use, if it
    is not the default one.
    """
    if outlets.is_closed(caught):
        return "", outlets.CLOSED
    told = _told(caught, cache)
    if not isinstance(told, BuilderError):
        traceback.print_exception(caught)
        return BUG, 1
    stage, log = told.stage, _folded_log(told)
    can_enter = stage is not None and cache is not None and shell.can_enter(cache, stage)
    rendered = failure.render(told, can_enter=can_enter, profile=profile)
    return log + colour.failure(rendered, sys.stderr), told.exit_code


def _folded_log(told: BuilderError) -> str:
    """The end of the failed stage's log, if a CI folds it; else empty."""
    if told.log is None:
        return ""
    try:
        text = told.log.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return folding.folded(
        f"log of {told.stage or told.log.stem}",
        [shown(line) for line in text.splitlines()[-LOG_LINES:]],
    )


def answer(caught: BaseException, cache: Cache | None, profile: str = "") -> str:
    """The error for programs (``--json``); empty if already printed, or if nobody reads it."""
    told = _told(caught, cache)
    if outlets.is_closed(caught) or getattr(told, "answered", False):
        return ""
    if not isinstance(told, BuilderError):
        told = BuilderError(f"{type(told).__name__}: {told}", hint=BUG)
    return failure.as_json(failure.of(told, profile=profile))


def _told(caught: BaseException, cache: Cache | None) -> BaseException:
    if isinstance(caught, KeyboardInterrupt):
        return interrupted()
    places = fulldisk.places(cache) if cache is not None else fulldisk.project()
    told = fulldisk.told(caught, places) if isinstance(caught, Exception) else caught
    if cache is not None and isinstance(told, BuilderError):
        told.hint = _kept_out(told.hint, cache)
    return told


def _kept_out(hint: str, cache: Cache) -> str:
    """A hint without the lines that would send people to files of finished stages.

    A file that is edited there is detected as changed, and no longer matches the pinned source.
    """
    kept = (str(cache.stages), str(cache.blobs))
    lines = hint.splitlines()
    good = [line for line in lines if not any(place in line for place in kept)]
    return hint if len(good) == len(lines) else "\n".join((*good, COPY))
