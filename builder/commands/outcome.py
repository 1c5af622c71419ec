"""How a command that did not go well ends: what the user reads, and the exit code."""

from __future__ import annotations

import traceback

from builder.commands import shell
from builder.commands.interruption import interrupted
from builder.errors import BuilderError
from builder.host.paths import Cache
from builder.pipeline import room
from builder.report import failure

BUG = "this is a bug in the builder; please report it with the lines above"


def of(caught: BaseException, cache: Cache) -> tuple[str, int]:
    """Text and exit code for what was raised; a traceback is printed for bugs only."""
    if isinstance(caught, KeyboardInterrupt):
        caught = interrupted()
    told = room.told(caught, room.places(cache)) if isinstance(caught, Exception) else caught
    if not isinstance(told, BuilderError):
        traceback.print_exception(caught)
        return BUG, 1
    can_enter = told.stage is not None and shell.can_enter(cache, told.stage)
    return failure.render(told, can_enter=can_enter), told.exit_code
