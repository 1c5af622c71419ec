"""When each stage ran, which ones the run waited for, and how each one's bar is drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from builder.pipeline.facts import BuildFacts
from builder.pipeline.stagename import StageKind, is_of
from builder.report.history import BuildSummary
from builder.report.record import BuildRecord, StageRecord, Unfinished

WIDTH = 1000.0
"""Of a bar's drawing, whatever its width on the page."""
RAN = "ran"
_NEED = "stage:"
_LEAST = 2.0  # so that the quickest stage is seen
_SLACK = 1.0  # seconds by which two clocks of one machine may differ


@dataclass(frozen=True)
class ChartRow:
    """A stage.  ``x`` and ``width``: its bar on the chart's time; no width for none.

    ``state``: what became of it in this run.  ``critical``: the run waited for it.
    ``log``: below ``artifacts/<profile>/``, empty if it has none there.
    """

    name: str
    state: str
    seconds: float
    log: str
    x: float = 0.0
    width: float = 0.0
    critical: bool = False

    @property
    def ran(self) -> bool:
        """Whether it ran here, in this run."""
        return self.state.partition(";")[0] == RAN


@dataclass(frozen=True)
class Chart:
    """``seconds``: from the first start to the last end.  ``critical``: the stages that decided
    how long it took, in their order, and their seconds together."""

    rows: tuple[ChartRow, ...]
    seconds: float
    critical: tuple[str, ...]
    critical_seconds: float


def chart(made: BuildRecord, build: BuildSummary | None, logs: Mapping[str, str]) -> Chart:
    """The chart of a run; ``build``: the build whose outputs are published.

    If nothing of it had to be built again, it is the chart of that build.  ``logs``: where each
    stage's log is, if it has one.
    """
    drawn = _drawn(made, build)
    path = critical_path(drawn)
    begin = min((stage.started for stage in drawn.values()), default=0.0)
    seconds = max(map(_end, drawn.values()), default=0.0) - begin
    scale = WIDTH / max(seconds, 0.1)
    rows = [_row(stage, logs.get(stage.name, "")) for stage in made.stages if stage.name in drawn]
    rows = [_placed(row, drawn[row.name], begin, scale, row.name in path) for row in rows]
    rows += [
        _row(stage, logs.get(stage.name, "")) for stage in made.stages if stage.name not in drawn
    ]
    rows += [_unfinished(one, logs.get(one.name, "")) for one in made.unfinished]
    return Chart(tuple(rows), seconds, path, sum(drawn[name].seconds for name in path))


def _drawn(made: BuildRecord, build: BuildSummary | None) -> dict[str, StageRecord]:
    """The stages that share the chart's time."""
    ran = {stage.name: stage for stage in made.stages if not stage.hit}
    if build is None or any(not _is_trial(name) for name in ran):
        return ran
    begin, end = build.origin.began - _SLACK, build.origin.began + build.origin.seconds + _SLACK
    before = {one.name: one for one in made.stages if begin <= one.started <= end}
    return before or ran


def _is_trial(stage: str) -> bool:
    return is_of(stage, StageKind.LAB) or is_of(stage, StageKind.RECORD)


def critical_path(ran: Mapping[str, StageRecord]) -> tuple[str, ...]:
    """The chain of needs that ended last, each stage the one that the next had to wait for."""
    path: list[str] = []
    waiting = list(ran)
    while waiting:
        path.append(max(waiting, key=lambda name: (_end(ran[name]), name)))
        needs = (name.removeprefix(_NEED) for name in ran[path[-1]].inputs if _NEED in name)
        waiting = [name for name in needs if name in ran and name not in path]
    return tuple(reversed(path))


def _end(stage: StageRecord) -> float:
    return stage.started + stage.seconds


def _row(stage: StageRecord, log: str) -> ChartRow:
    return ChartRow(stage.name, _state(stage), stage.seconds, log)


def _state(stage: StageRecord) -> str:
    if stage.provenance is None:
        return "nothing had changed" if stage.hit else f"{RAN}{_objects(stage)}"
    came = f"came {stage.provenance}"
    return f"nothing had changed; {came}" if stage.hit else came


def _objects(stage: StageRecord) -> str:
    """Where a build's objects came from, if a team's compiler cache was asked."""
    facts = stage.facts
    if isinstance(facts, BuildFacts) and facts.compiler and facts.compiler.uses_remote:
        return f"; {facts.compiler}"
    return ""


def _placed(
    row: ChartRow, stage: StageRecord, begin: float, scale: float, critical: bool
) -> ChartRow:
    x = min((stage.started - begin) * scale, WIDTH - _LEAST)
    width = max(stage.seconds * scale, _LEAST)
    return ChartRow(row.name, row.state, row.seconds, row.log, x, width, critical)


def _unfinished(stage: Unfinished, log: str) -> ChartRow:
    return ChartRow(stage.name, stage.state, stage.seconds, log)
