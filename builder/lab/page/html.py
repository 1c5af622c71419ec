"""``report.html`` of a scenario."""

from __future__ import annotations

from pathlib import Path

from builder import pages
from builder.lab.laboratory import Result
from builder.lab.oracle.views import shown_connection
from builder.lab.page import topology
from builder.lab.page.ladder import Ladder, ladder
from builder.lab.plan import host as plan
from builder.lab.series import Series
from builder.vm.machine import tail

PAGE = "report.html"
CONSOLE_LINES = 12


def _ladder(result: Result) -> Ladder | None:
    """Of the first proof's connection, where each link joins two hosts: on a hub it would not
    show who sent what to whom."""
    if any(len(result.topology.hosts_on(link)) > 2 for link in result.topology.link):
        return None
    for evidence in result.evidence:
        connection = None if evidence.run.control else shown_connection(evidence)
        if connection is not None:
            return ladder(evidence, connection)
    return None


def render(result: Result, series: Series, consoles: Path) -> str:
    """The page for a scenario that was tried."""
    environment = pages.environment(Path(__file__).parent)
    hosts = [
        plan.configuration(result.scenario, result.topology, series, name)
        for name in result.topology.host
    ]
    return environment.get_template("lab.html.j2").render(
        verdict=result.verdict,
        scenario=result.scenario,
        topology=result.topology,
        drawing=topology.draw(result.topology, result.scenario),
        box=(topology.BOX_WIDTH, topology.BOX_HEIGHT),
        ladder=_ladder(result),
        hosts=hosts,
        records=result.records,
        consoles={
            name: tail(consoles / f"{name}.log", CONSOLE_LINES) for name in result.topology.host
        },
    )
