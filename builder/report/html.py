"""``report.html``: what was built from what, when, how large, and whether it works.

One file without scripts or anything from the network; it prints well.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from builder import pages
from builder.digest import decode
from builder.host.whole import write_whole
from builder.pipeline.facts import FetchFacts
from builder.pipeline.stage import OutputFile
from builder.report import chart, history, logs, proofs, publish
from builder.report.filenames import PAGE
from builder.report.history import BuildSummary
from builder.report.record import BuildRecord
from builder.smoke.report import SmokeReport

SMOKE = "smoke/smoke.json"
MAIN = ("repo", "vm", "components")
"""Folders whose files people install; the others' are proof."""


@dataclass(frozen=True)
class FileGroup:
    """A folder's files.  ``main``: they are what people install."""

    folder: str
    files: tuple[OutputFile, ...]
    main: bool

    @property
    def size(self) -> int:
        return sum(one.size for one in self.files)


@dataclass(frozen=True)
class Comparison:
    """How a build differs from the one before."""

    before: BuildSummary
    versions: tuple[history.Difference, ...]
    sizes: tuple[history.FigureChange, ...]
    times: tuple[history.FigureChange, ...]


def smoke_of(target: Path, record: BuildRecord) -> SmokeReport | None:
    """This run's smoke test; None if it had none, or left no verdict."""
    if not any(entry.path == SMOKE for entry in record.outputs):
        return None
    try:
        return decode((target / SMOKE).read_bytes(), SmokeReport)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def render(
    record: BuildRecord, smoke: SmokeReport | None, logs_there: frozenset[str] = frozenset()
) -> str:
    """The page for a build record and, if it was run, its smoke test.

    ``logs_there``: the files in ``logs/``.
    """
    build = _build(record)
    groups = tuple(_groups(record.outputs))
    current = {one.folder: one.image for one in record.lab if one.current}
    return (
        pages.environment(Path(__file__).parent)
        .get_template("report.html.j2")
        .render(
            record=record,
            smoke=smoke,
            build=build,
            chart=chart.chart(record, build, _log_paths(record, logs_there)),
            width=chart.WIDTH,
            logs=sorted(logs_there),
            sources=[stage for stage in record.stages if isinstance(stage.facts, FetchFacts)],
            groups=groups,
            largest=max((one.size for group in groups for one in group.files), default=1) or 1,
            verdicts=[one for one in record.earlier if one.folder in current],
            image=next(iter(current.values()), ""),
            earlier=[one for one in record.earlier if one.folder not in current],
            comparison=_comparison(record, build),
            trend=record.builds if build is not None and len(record.builds) > 1 else (),
        )
    )


def _build(record: BuildRecord) -> BuildSummary | None:
    """The build whose outputs are published; None if it is not the last one on record."""
    if record.builds and record.builds[0].products == history.products(record.outputs):
        return record.builds[0]
    return None


def _comparison(record: BuildRecord, build: BuildSummary | None) -> Comparison | None:
    if build is None or len(record.builds) < 2:
        return None
    before = record.builds[1]
    return Comparison(
        before,
        history.versions(build, before),
        history.sizes(build, before),
        history.times(build, before),
    )


def _groups(outputs: tuple[OutputFile, ...]) -> Iterator[FileGroup]:
    """By published folder, those that people install first."""
    found: dict[str, list[OutputFile]] = {}
    for entry in sorted(outputs, key=lambda one: one.path):
        found.setdefault(publish.folder_of(entry.path), []).append(entry)
    for folder in sorted(found, key=lambda one: (not one.startswith(MAIN), one)):
        yield FileGroup(folder, tuple(found[folder]), folder.startswith(MAIN))


def _log_paths(record: BuildRecord, there: frozenset[str]) -> dict[str, str]:
    """Where each stage's log is, of those that exist."""
    names = [*(one.name for one in record.stages), *(one.name for one in record.unfinished)]
    files = {name: logs.file_name(name) for name in names}
    return {name: f"{logs.FOLDER}/{file}" for name, file in files.items() if file in there}


def write(target: Path, record: BuildRecord) -> Path:
    """Write the page into ``artifacts/<profile>/``; returns its path."""
    page = target / PAGE
    record = proofs.told(target, record)
    text = render(record, smoke_of(target, record), logs.there(target)).encode()
    if not page.is_file() or page.read_bytes() != text:
        write_whole(page, text)
    return page
