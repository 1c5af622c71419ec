"""Says why a stage would run: which input changed, old and new."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping

import msgspec

from builder.digest import Digest
from builder.pipeline import digest
from builder.pipeline.digest import Input
from builder.pipeline.elsewhere import NOT_ACCEPTED, NOWHERE, Elsewhere
from builder.pipeline.estimate import Expectation, expect
from builder.pipeline.ledger import Ledger
from builder.pipeline.reasons import reasons
from builder.pipeline.schedule import with_needs
from builder.pipeline.stage import Damaged, Done, Stage
from builder.pipeline.store import Store


def _inputs(
    stage: Stage, keys: Mapping[str, str], unknown: frozenset[str]
) -> tuple[tuple[Input, ...], bool]:
    """The stage's inputs as far as they are known, and whether that is all of them."""
    own = stage.inputs()
    inherited = tuple(
        Input(f"stage:{need}", keys[need]) for need in stage.needs if need not in unknown
    )
    return (*own, *inherited), not any(need in unknown for need in stage.needs)


class Outlook(msgspec.Struct, frozen=True):
    """What would happen to a stage: ``lines`` say why, the first one with its name.

    ``expected``: how long it would take, None if it need not run.
    """

    stage: Stage
    lines: tuple[str, ...]
    expected: Expectation | None


def explain(
    stages: Mapping[str, Stage],
    goals: tuple[str, ...],
    store: Store,
    ledger: Ledger,
    *,
    outdated: bool = False,
    elsewhere: Elsewhere = NOWHERE,
) -> list[str]:
    """For every stage that the goals need: settled, or why it would run.

    ``outdated``: an earlier version of the builder has made what is in the cache.  Nothing is
    run.  Raises UsageError for a name that is not a stage.
    """
    found = outlooks(stages, goals, store, ledger, outdated=outdated, elsewhere=elsewhere)
    return [line for one in found for line in one.lines]


def outlooks(
    stages: Mapping[str, Stage],
    goals: Iterable[str],
    store: Store,
    ledger: Ledger,
    *,
    outdated: bool = False,
    forced: Container[str] = (),
    elsewhere: Elsewhere = NOWHERE,
) -> list[Outlook]:
    """The same with times.  ``forced``: these would run even if nothing has changed.

    ``elsewhere``: says which outputs of other machines count.
    """
    found: list[Outlook] = []
    keys: dict[str, Digest] = {}
    unknown: set[str] = set()
    for stage in with_needs(stages, goals):
        if outdated:
            found.append(_running(stage, [_outdated(stage.name, store)], ledger))
            continue
        inputs, complete = _inputs(stage, keys, frozenset(unknown))
        key = digest.key(inputs)
        done = _find(stage, key, store) if complete and stage.name not in forced else None
        if done is not None and not elsewhere.accepts(done.manifest.origins):
            line = f"{stage.name}: would run, {NOT_ACCEPTED}"
            found.append(_running(stage, [line], ledger))
            keys[stage.name] = key
            if stage.by_content:
                unknown.add(stage.name)
            continue
        if done is not None:
            origin = done.manifest.provenance
            came = f" (it came {origin})" if origin else ""
            line = f"{stage.name}: nothing has changed{came}{stage.remark(done)}"
            found.append(Outlook(stage, (line,), None))
            keys[stage.name] = done.content if done.by_content else done.key
            continue
        asked = stage.name in forced
        why = [f"{stage.name}: would run, as requested"] if asked else []
        lines = why or reasons(stage.name, inputs, ledger, complete=complete)
        found.append(_running(stage, lines, ledger))
        if stage.by_content or not complete:
            unknown.add(stage.name)
        else:
            keys[stage.name] = key
    return found


def _running(stage: Stage, lines: list[str], ledger: Ledger) -> Outlook:
    return Outlook(stage, tuple(lines), expect(stage, ledger))


def _find(stage: Stage, key: Digest, store: Store) -> Done | None:
    try:
        return store.find(stage.name, key, by_content=stage.by_content)
    except Damaged:
        return None


def _outdated(stage: str, store: Store) -> str:
    if store.folder(stage).is_dir():
        return f"{stage}: would run, its output was made by an earlier version of the builder"
    return f"{stage}: would run, it never ran in this cache"
