"""Why a stage would run: which of its inputs changed, old and new."""

from __future__ import annotations

from builder.pipeline.digest import Input
from builder.pipeline.ledger import InputChange, Ledger, compare

SHORT = 12


def _short(value: str) -> str:
    return value[:SHORT] if value else "(none)"


def _line(change: InputChange) -> str:
    return f"    {change.name}: {_short(change.old)} -> {_short(change.new)}"


def reasons(
    stage: str, inputs: tuple[Input, ...], ledger: Ledger, *, complete: bool = True
) -> list[str]:
    """A line that says that it would run, and one for each input that changed.

    ``complete``: these are all its inputs; if not, a stage that it needs would run first.
    """
    last = ledger.last(stage)
    if last is None:
        return [f"{stage}: would run, it never ran in this cache"]
    old = dict(last.inputs)
    if not complete:
        known = {entry.name for entry in inputs}
        old = {name: value for name, value in old.items() if name in known}
    changes = compare(old, inputs)
    lines = [_line(change) for change in changes]
    if not complete:
        lines.append("    a stage that it needs would run, and its output is not known yet")
    if not lines:
        lines.append("    its output is missing from the cache, or has changed there")
    return [f"{stage}: would run", *lines]
