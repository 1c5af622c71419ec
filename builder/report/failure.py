"""A failure as the user sees it: three lines, the log, and the way into the container."""

from __future__ import annotations

import msgspec

from builder import shipped
from builder.errors import BuilderError
from builder.invocation import pasted, pasted_quotes
from builder.report.record import Failure
from builder.shown import shown


def _indent(text: str) -> str:
    return "\n       ".join(text.splitlines())


def render(error: BuilderError, *, can_enter: bool, profile: str = "") -> str:
    """What failed, why in the cause's own words, what to do next.

    ``can_enter``: a container of the failed stage can be entered.  ``profile``: what was worked
    on, if it is not the default one.
    """
    root = shipped.folder()
    stage = f" (stage {error.stage})" if error.stage else ""
    lines = [f"failed: {error.what}{stage}"]
    if error.cause:
        lines.append(f"cause: {_indent(pasted_quotes(error.cause, root, profile=profile))}")
    if error.hint:
        lines.append(f"next:  {_indent(pasted(error.hint, root, profile=profile))}")
    if error.log is not None and error.log.is_file():
        lines.append(f"log:   {error.log}")
    if can_enter and error.stage:
        lines.append(pasted(f"shell: invoke shell {error.stage}", root))
    return shown("\n".join(lines))


def of(error: BuilderError, *, log: str = "", profile: str = "") -> Failure:
    """A failure as programs get it; ``log``: where its log is, by default where it was written."""
    root = shipped.folder()
    found = str(error.log) if error.log is not None and error.log.is_file() else ""
    return Failure(
        what=shown(error.what),
        cause=shown(pasted_quotes(error.cause, root, profile=profile)),
        hint=shown(pasted(error.hint, root, profile=profile)),
        stage=str(error.stage or ""),
        log=log or found,
        status=error.exit_code,
    )


def as_json(failure: Failure) -> str:
    """What a command with ``--json`` prints when it has only a failure to report."""
    return msgspec.json.format(msgspec.json.encode({"version": 1, "failure": failure})).decode()
