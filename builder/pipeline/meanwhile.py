"""Whether a run's files changed under it, so that its outputs are of no one state of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from builder.errors import BuilderError
from builder.pipeline.ledger import compare
from builder.pipeline.needs import all_inputs
from builder.pipeline.stage import Done, Stage


def changed(stages: Mapping[str, Stage], done: Mapping[str, Done]) -> Iterator[str]:
    """The settled stages whose inputs are others by now, each with the names of these inputs."""
    for name, settled in done.items():
        try:
            now = all_inputs(stages[name], done)
        except (BuilderError, OSError) as error:
            yield f"{name} ({error})"
            continue
        names = [change.name for change in compare(settled.manifest.inputs, now)]
        if names:
            yield f"{name} ({', '.join(names)})"
