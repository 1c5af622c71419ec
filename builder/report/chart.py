"""When each stage ran, which ones the run waited for, and how each one's bar is drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from builder.pipeline.facts import BuildFacts
from builder.pipeline.stagename import StageKind, is_of
from builder.report.history import BuildSummary
from builder.report.record import BuildRecord, StageRecord

WIDTH = 1000.0
"""Of a bar's drawing, whatever its width on the page."""
RAN, FAILED = "ran", "failed"
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
class StageTime:
    """When a stage ran, and which stages it had to wait for."""

    begin: float
    seconds: float
    needs: tuple[str, ...]

    @property
    def end(self) -> float:
        return self.begin + self.seconds


@dataclass(frozen=True)
class Chart:
    """``seconds``: from the first start to the last end.  ``critical``: the stages that decided
    how long it took, in their order, and their seconds together."""

    rows: tuple[ChartRow, ...]
    seconds: float
    critical: tuple[str, ...]
    critical_seconds: float

    @property
    def failed(self) -> bool:
        """Whether a stage that failed has a bar."""
        return any(row.state == FAILED and row.width for row in self.rows)


def chart(made: BuildRecord, build: BuildSummary | None, logs: Mapping[str, str]) -> Chart:
    """The chart of a run; ``build``: the build whose outputs are published.

    If nothing of it had to be built again, it is the chart of that build.  ``logs``: where each
    stage's log is, if it has one.
    """
    drawn = _drawn(made, build)
    path = critical_path(drawn)
    begin = min((one.begin for one in drawn.values()), default=0.0)
    seconds = max((one.end for one in drawn.values()), default=0.0) - begin
    scale = WIDTH / max(seconds, 0.1)
    done = sorted(made.stages, key=lambda stage: stage.name not in drawn)
    rows = [ChartRow(one.name, _state(one), one.seconds, logs.get(one.name, "")) for one in done]
    rows += [
        ChartRow(one.name, one.state, one.seconds, logs.get(one.name, ""))
        for one in made.unfinished
    ]
    placed = (
        _placed(row, drawn[row.name], begin, scale, row.name in path) if row.name in drawn else row
        for row in rows
    )
    return Chart(tuple(placed), seconds, path, sum(drawn[name].seconds for name in path))


def _drawn(made: BuildRecord, build: BuildSummary | None) -> dict[str, StageTime]:
    """The stages that share the chart's time, and those that were begun and did not end well."""
    ran = {one.name: time_of(one) for one in made.stages if not one.hit}
    ran |= {
        one.name: StageTime(one.started, one.seconds, one.needs)
        for one in made.unfinished
        if one.started
    }
    if build is None or any(not _is_trial(name) for name in ran):
        return ran
    begin, end = build.origin.began - _SLACK, build.origin.began + build.origin.seconds + _SLACK
    before = {one.name: time_of(one) for one in made.stages if begin <= one.started <= end}
    return before or ran


def time_of(stage: StageRecord) -> StageTime:
    """The time of a finished stage, whose needs are among its inputs."""
    needs = (name.removeprefix(_NEED) for name in stage.inputs if name.startswith(_NEED))
    return StageTime(stage.started, stage.seconds, tuple(needs))


def _is_trial(stage: str) -> bool:
    return is_of(stage, StageKind.LAB) or is_of(stage, StageKind.RECORD)


def critical_path(ran: Mapping[str, StageTime]) -> tuple[str, ...]:
    """The chain of needs that ended last, each stage the one that the next had to wait for."""
    path: list[str] = []
    waiting = list(ran)
    while waiting:
        path.append(max(waiting, key=lambda name: (ran[name].end, name)))
        needs = ran[path[-1]].needs
        waiting = [name for name in needs if name in ran and name not in path]
    return tuple(reversed(path))


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


def _placed(row: ChartRow, time: StageTime, begin: float, scale: float, critical: bool) -> ChartRow:
    x = min((time.begin - begin) * scale, WIDTH - _LEAST)
    return replace(row, x=x, width=max(time.seconds * scale, _LEAST), critical=critical)
