"""``report.html``: what was built from what, when, how large, and whether it works.

One file without scripts or anything from the network; it prints well.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import msgspec
from markupsafe import Markup, escape

from builder import pages
from builder.host.whole import write_whole
from builder.pipeline.facts import FetchFacts
from builder.pipeline.stage import OutputFile
from builder.report import proofs
from builder.report.record import BuildRecord, StageRecord
from builder.smoke.report import SmokeReport

PAGE = "report.html"
SMOKE = "smoke/smoke.json"
CHART_WIDTH = 760.0
ROW = 22


@dataclass(frozen=True)
class Bar:
    """One stage of the time chart, in the drawing's units; ``hit`` bars took no time now."""

    name: str
    x: float
    y: int
    width: float
    label: str
    hit: bool


@dataclass(frozen=True)
class Tick:
    """A mark on the time axis."""

    x: float
    label: str


@dataclass(frozen=True)
class Chart:
    """Stages that ran, by when they did."""

    bars: tuple[Bar, ...]
    ticks: tuple[Tick, ...]
    height: int


def duration(seconds: float) -> str:
    """``3 min 20 s``, ``12.3 s``."""
    if seconds >= 60:
        return f"{int(seconds // 60)} min {int(seconds % 60)} s"
    return f"{seconds:.1f} s"


def size(count: int) -> str:
    """A number of bytes for people (powers of ten)."""
    for unit, one in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= one:
            return f"{count / one:.1f} {unit}"
    return f"{count} B"


def _step(total: float) -> float:
    """A round distance between ticks, so that there are some five to ten."""
    for step in (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 3600):
        if total / step <= 10:
            return float(step)
    return total / 8


def chart(stages: tuple[StageRecord, ...]) -> Chart:
    """The time chart of one run: bars from its first start to its last end.

    Stages from earlier runs have no place on this run's axis; they are listed below it.
    """
    ran = [stage for stage in stages if not stage.hit]
    if not ran:
        return Chart((), (), 0)
    begin = min(stage.started for stage in ran)
    total = max(max(stage.started + stage.seconds for stage in ran) - begin, 0.1)
    scale = CHART_WIDTH / total
    bars = tuple(
        Bar(
            stage.name,
            (stage.started - begin) * scale,
            index * ROW,
            max(stage.seconds * scale, 1.5),
            duration(stage.seconds),
            stage.hit,
        )
        for index, stage in enumerate(ran)
    )
    step = _step(total)
    ticks = tuple(
        Tick(number * step * scale, duration(number * step))
        for number in range(int(total / step) + 1)
    )
    return Chart(bars, ticks, len(ran) * ROW)


def _smoke(target: Path, record: BuildRecord) -> SmokeReport | None:
    """This run's smoke test; None if it had none, or left no verdict."""
    if not any(entry.path == SMOKE for entry in record.outputs):
        return None
    try:
        return msgspec.json.decode((target / SMOKE).read_bytes(), type=SmokeReport)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def quoted(text: str) -> Markup:
    """A hint for a page: what stands between backticks is a command."""
    return Markup(re.sub(r"`([^`]*)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704


def render(record: BuildRecord, smoke: SmokeReport | None) -> str:
    """The page for a build record and, if it was run, its smoke test."""
    environment = pages.environment(Path(__file__).parent)
    environment.filters["duration"] = duration
    environment.filters["size"] = size
    environment.filters["moment"] = pages.moment
    environment.filters["quoted"] = quoted
    return environment.get_template("report.html.j2").render(
        record=record,
        smoke=smoke,
        chart=chart(record.stages),
        row=ROW,
        width=CHART_WIDTH,
        sources=[stage for stage in record.stages if isinstance(stage.facts, FetchFacts)],
        packages=_packages(record.outputs),
    )


def _packages(outputs: tuple[OutputFile, ...]) -> list[OutputFile]:
    return sorted(
        (entry for entry in outputs if not entry.path.startswith("repo/repodata")),
        key=lambda entry: entry.path,
    )


def write(target: Path, record: BuildRecord) -> Path:
    """Write the page into ``artifacts/<profile>/``; returns its path."""
    page = target / PAGE
    record = proofs.told(target, record)
    text = render(record, _smoke(target, record)).encode()
    if not page.is_file() or page.read_bytes() != text:
        write_whole(page, text)
    return page
