"""``report.html`` of a scenario."""

from __future__ import annotations

from pathlib import Path

from builder import pages
from builder.lab import folder as folders
from builder.lab import tally
from builder.lab.judging import Judged
from builder.lab.oracle.views import shown_connection
from builder.lab.page import topology as drawing
from builder.lab.page.complaint import complaints
from builder.lab.page.ladder import Ladder, ladder
from builder.lab.page.rewriting import rewritings
from builder.vm.machine import tail

PAGE = "report.html"
CONSOLE_LINES = 12


def _ladder(judged: Judged) -> Ladder | None:
    """The ladder of the first proof's connection."""
    for evidence in judged.evidence:
        connection = None if evidence.run.control else shown_connection(evidence)
        if connection is not None:
            return ladder(evidence, connection)
    return None


def render(judged: Judged, folder: Path) -> str:
    """The page for a verdict and the folder with its recording."""
    environment = pages.environment(Path(__file__).parent)
    recording = judged.recording
    wrong = complaints(judged)
    return environment.get_template("lab.html.j2").render(
        verdict=judged.verdict,
        proven=tally.of_runs(judged.verdict.proofs),
        tallies={run.name: tally.of_rows(run.rows) for run in judged.verdict.runs},
        scenario=recording.scenario,
        topology=recording.topology,
        drawing=drawing.draw(recording.topology, recording.scenario),
        upright=drawing.draw(recording.topology, recording.scenario, upright=True),
        width=drawing.BOX_WIDTH,
        ladder=_ladder(judged),
        complaints=wrong,
        drawn={f"{one.run}/{one.name}": one.anchor for one in wrong},
        rewritings=rewritings(judged.evidence),
        hosts=recording.hosts,
        records=recording.runs,
        consoles={
            host.host: tail(folder / folders.CONSOLES / f"{host.host}.log", CONSOLE_LINES)
            for host in recording.hosts
        },
    )
