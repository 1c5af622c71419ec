"""A failure as the user sees it: three lines, the log, and the way into the container."""

from __future__ import annotations

from builder.errors import BuilderError
from builder.report.record import Failure
from builder.shown import shown


def _indent(text: str) -> str:
    return "\n       ".join(text.splitlines())


def render(error: BuilderError, *, can_enter: bool) -> str:
    """What failed, why in the cause's own words, what to do next.

    ``can_enter``: a container of the failed stage can be entered.
    """
    stage = f" (stage {error.stage})" if error.stage else ""
    lines = [f"failed: {error.what}{stage}"]
    if error.cause:
        lines.append(f"cause: {_indent(error.cause)}")
    if error.hint:
        lines.append(f"next:  {_indent(error.hint)}")
    if error.log is not None and error.log.is_file():
        lines.append(f"log:   {error.log}")
    if can_enter and error.stage:
        lines.append(f"shell: invoke shell {error.stage}")
    return shown("\n".join(lines))


def of(error: BuilderError, log: str = "") -> Failure:
    """A failure as programs get it; ``log``: where its log is, by default where it was written."""
    found = str(error.log) if error.log is not None and error.log.is_file() else ""
    return Failure(
        what=shown(error.what),
        cause=shown(error.cause),
        hint=shown(error.hint),
        stage=error.stage or "",
        log=log or found,
        status=error.exit_code,
    )
