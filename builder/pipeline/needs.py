"""What stages need: their order, and the inputs that come from one another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from builder import names
from builder.errors import UsageError
from builder.pipeline.digest import Input
from builder.pipeline.stage import Done, Stage


def with_needs(stages: Mapping[str, Stage], goals: Iterable[str]) -> tuple[Stage, ...]:
    """The goals and everything they need, needed ones first.

    Raises UsageError for a name that is not a stage.
    """
    ordered: dict[str, Stage] = {}

    def visit(name: str) -> None:
        if name in ordered:
            return
        if name not in stages:
            raise UsageError(
                f"there is no stage {names.shown(name)}{names.nearest(name, stages)}",
                f"stages: {', '.join(stages)}",
                "name one of these",
            )
        for need in stages[name].needs:
            visit(need)
        ordered[name] = stages[name]

    for goal in goals:
        visit(goal)
    return tuple(ordered.values())


def all_inputs(stage: Stage, done: Mapping[str, Done]) -> tuple[Input, ...]:
    """The stage's own inputs and those that come from the stages it needs."""
    inherited = (
        Input(f"stage:{name}", done[name].content if done[name].by_content else done[name].key)
        for name in stage.needs
    )
    return (*stage.inputs(), *inherited)
