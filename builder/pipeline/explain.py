"""Says why a stage would run: which input changed, old and new."""

from __future__ import annotations

from collections.abc import Mapping

from builder.digest import Digest
from builder.pipeline import digest
from builder.pipeline.digest import Input
from builder.pipeline.ledger import InputChange, Ledger, compare
from builder.pipeline.schedule import with_needs
from builder.pipeline.stage import Damaged, Done, Stage
from builder.pipeline.store import Store

SHORT = 12


def _short(value: str) -> str:
    return value[:SHORT] if value else "(none)"


def _line(change: InputChange) -> str:
    return f"    {change.name}: {_short(change.old)} -> {_short(change.new)}"


def _inputs(
    stage: Stage, keys: Mapping[str, str], unknown: frozenset[str]
) -> tuple[tuple[Input, ...], bool]:
    """The stage's inputs as far as they are known, and whether that is all of them."""
    own = stage.inputs()
    inherited = tuple(
        Input(f"stage:{need}", keys[need]) for need in stage.needs if need not in unknown
    )
    return (*own, *inherited), not any(need in unknown for need in stage.needs)


def explain(
    stages: Mapping[str, Stage],
    goals: tuple[str, ...],
    store: Store,
    ledger: Ledger,
    *,
    outdated: bool = False,
) -> list[str]:
    """For every stage that the goals need: settled, or why it would run.

    ``outdated``: an earlier version of the builder has made what is in the cache.  Nothing is
    run.  Raises UsageError for a name that is no stage.
    """
    if outdated:
        return [_outdated(stage.name, store) for stage in with_needs(stages, goals)]
    lines: list[str] = []
    keys: dict[str, Digest] = {}
    unknown: set[str] = set()
    for stage in with_needs(stages, goals):
        inputs, complete = _inputs(stage, keys, frozenset(unknown))
        key = digest.key(inputs)
        found = _find(stage, key, store) if complete else None
        lines += _tell(stage, inputs, complete, found, ledger)
        if found is not None:
            keys[stage.name] = found.content if found.by_content else found.key
        elif stage.by_content or not complete:
            unknown.add(stage.name)
        else:
            keys[stage.name] = key
    return lines


def _find(stage: Stage, key: Digest, store: Store) -> Done | None:
    try:
        return store.find(stage.name, key, by_content=stage.by_content)
    except Damaged:
        return None


def _outdated(stage: str, store: Store) -> str:
    if store.folder(stage).is_dir():
        return f"{stage}: would run, its output was made by an earlier version of the builder"
    return f"{stage}: would run, it never did in this cache"


def _tell(
    stage: Stage,
    inputs: tuple[Input, ...],
    complete: bool,
    found: Done | None,
    ledger: Ledger,
) -> list[str]:
    if found is not None:
        return [f"{stage.name}: nothing has changed{stage.remark(found)}"]
    last = ledger.last(stage.name)
    if last is None:
        return [f"{stage.name}: would run, it never did in this cache"]
    old = dict(last.inputs)
    if not complete:
        known = {entry.name for entry in inputs}
        old = {name: value for name, value in old.items() if name in known}
    changes = compare(old, inputs)
    lines = [_line(change) for change in changes]
    if not complete:
        lines.append("    a stage it needs would run, and what comes out of that is not known yet")
    if not lines:
        lines.append("    its output is not in the cache any more, or has changed there")
    return [f"{stage.name}: would run", *lines]
