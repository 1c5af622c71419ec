"""``artifacts/lab.html``: every scenario in every profile, with what the lab said and where."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from builder import pages
from builder.errors import BuilderError
from builder.host.paths import Project
from builder.host.whole import write_whole
from builder.lab import tally
from builder.lab.scenario import shipped
from builder.profile import load
from builder.profile.model import Profile
from builder.report import publish
from builder.report.filenames import MATRIX
from builder.report.record import BuildRecord, LabRecord

LEFT_OUT, NO_VERDICT, OTHER = "left out", "no verdict yet", "on another image"
_WORDS = {"pass": "proven", "fail": "not proven", "unsupported": LEFT_OUT}
_SERIES = re.compile(r"\bseries\b")


@dataclass(frozen=True)
class Cell:
    """A scenario in a profile.  ``page``: below ``artifacts/``, empty if there is none.

    ``detail``: how many assertions hold, or a reason, with code between backticks.
    """

    outcome: str
    words: str
    detail: str = ""
    page: str = ""


@dataclass(frozen=True)
class Column:
    """A profile: the image whose proofs count, and a cell for each scenario."""

    profile: str
    image: str
    report: str
    cells: dict[str, Cell]

    @property
    def summary(self) -> str:
        """How many of its scenarios are proven, and how many it leaves out."""
        proven = sum(one.outcome == "pass" for one in self.cells.values())
        left = sum(one.words == LEFT_OUT for one in self.cells.values())
        words = f"{proven} of {len(self.cells) - left} proven"
        return f"{words}, {left} left out" if left else words


def write(project: Project) -> Path | None:
    """Write the index again, or remove it if no profile has a verdict; returns its path."""
    page = project.results / MATRIX
    columns = tuple(_columns(project))
    if not any(cell.page for column in columns for cell in column.cells.values()):
        page.unlink(missing_ok=True)
        return None
    text = render(columns).encode()
    if not page.is_file() or page.read_bytes() != text:
        write_whole(page, text)
    return page


def render(columns: tuple[Column, ...]) -> str:
    """The page; columns have the same scenarios."""
    environment = pages.environment(Path(__file__).parent)
    names = dict.fromkeys(name for column in columns for name in column.cells)
    cells = tuple(cell for column in columns for cell in column.cells.values())
    return environment.get_template("matrix.html.j2").render(
        columns=columns,
        scenarios=tuple(names),
        terms={cell.words for cell in cells},
        series=any(_SERIES.search(cell.detail) for cell in cells),
    )


def _columns(project: Project) -> Iterator[Column]:
    for name in load.available(project.specs):
        try:
            profile = load.load(project.specs, name)
        except BuilderError:  # whoever builds it sees the error
            continue
        if profile.lab is not None:
            yield _column(profile, publish.read(project.artifacts(name)))


def _column(profile: Profile, made: BuildRecord | None) -> Column:
    lacking = profile.lab.unsupported if profile.lab is not None else {}
    tried = {one.scenario: one for one in made.lab} if made is not None else {}
    cells = {
        name: _cell(profile.name, tried.get(name), lacking.get(name, ""))
        for name in sorted({*shipped.available(), *tried})
    }
    built = made is not None and (made.outputs or made.earlier)
    image = f"flavour {made.flavour}, base {made.base}" if made is not None and built else ""
    return Column(profile.name, image, f"{profile.name}/report.html" if made else "", cells)


def _cell(profile: str, tried: LabRecord | None, lacking: str) -> Cell:
    if tried is None:
        if lacking:
            return Cell("unsupported", LEFT_OUT, lacking)
        return Cell("unsupported", NO_VERDICT)
    page = f"{profile}/{tried.page}"
    if not tried.current:
        return Cell("unsupported", OTHER, page=page)
    held = f"{tried.held} hold" if tried.held else ""
    unjudged = tally.told("not applicable", len(tried.unjudged)) if tried.unjudged else ""
    detail = ", ".join(filter(None, (held, unjudged))) if tried.outcome == "pass" else lacking
    return Cell(tried.outcome, _WORDS.get(tried.outcome, tried.outcome), detail, page)
