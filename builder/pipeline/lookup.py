"""Finds what is finished, without running anything."""

from __future__ import annotations

from collections.abc import Mapping

from builder.digest import Digest
from builder.pipeline import digest
from builder.pipeline.digest import Input
from builder.pipeline.schedule import with_needs
from builder.pipeline.stage import Damaged, Done, Stage
from builder.pipeline.store import Store


def settled(stages: Mapping[str, Stage], goal: str, store: Store) -> Done | None:
    """The output of the stage ``goal`` if it is finished and nothing it is made of has changed.

    None if it would have to run.  Raises UsageError for a name that is not a stage.
    """
    found: Done | None = None
    values: dict[str, str] = {}
    for stage in with_needs(stages, (goal,)):
        if any(need not in values for need in stage.needs):
            continue  # the output of a need is not known
        inherited = (Input(f"stage:{need}", values[need]) for need in stage.needs)
        key = digest.key((*stage.inputs(), *inherited))
        found = _find(stage, key, store)
        if found is not None:
            values[stage.name] = found.content if found.by_content else found.key
        elif not stage.by_content:
            values[stage.name] = key
    return found if found is not None and found.name == goal else None


def _find(stage: Stage, key: Digest, store: Store) -> Done | None:
    try:
        return store.find(stage.name, key, by_content=stage.by_content)
    except Damaged:
        return None
