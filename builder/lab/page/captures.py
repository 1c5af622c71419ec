"""``report.html`` of captures that were made elsewhere."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec

from builder import pages
from builder.lab import tally
from builder.lab.capture.packet import Packet, endpoint
from builder.lab.oracle.evidence import Connection, Evidence, Exchange, Leg
from builder.lab.page.ladder import Ladder, ladder
from builder.lab.scenario.model import Host, Link, Run, Topology, Traffic
from builder.lab.trace.director import Director
from builder.lab.trace.judge import JudgedTrace
from builder.lab.trace.showing import Watched

SIDES = ("outside", "inside")
TOPOLOGY = Topology(
    summary="client, director and server",
    link={
        "outside": Link(side="outer", title="outside"),
        "inside": Link(side="inner", title="inside"),
    },
    host={
        "client": Host(role="client", interface=(), column=0, row=0),
        "director": Host(role="director", interface=(), column=1, row=0),
        "server": Host(role="server", interface=(), column=2, row=0),
    },
)


class _Drawn(Topology, frozen=True):
    """Without cards: who is on which link is plain."""

    def hosts_on(self, link: str) -> tuple[str, ...]:
        return ("client", "director") if link == "outside" else ("director", "server")


def render(trial: JudgedTrace, files: tuple[str, str]) -> str:
    """The page; ``files``: the captures' names, outside and inside."""
    environment = pages.environment(Path(__file__).parent)
    drawn = (_ladder(one, trial.director) for one in trial.shown)
    return environment.get_template("captures.html.j2").render(
        verdict=trial.verdict,
        run=trial.verdict.runs[0],
        tally=tally.of_runs(trial.verdict.runs),
        director=trial.director,
        sides=tuple(zip(SIDES, files, strict=True)),
        unjoined=trial.unjoined,
        ladders=[one for one in drawn if one is not None],
    )


def _ladder(watched: Watched, director: Director) -> Ladder | None:
    """The ladder of one connection, whose packets keep the names of their files."""
    legs = {
        side: Leg(side, ends, tuple(_placed(packet, side) for packet in packets))
        for side, ends, packets in zip(SIDES, watched.ends, watched.sides, strict=True)
        if packets
    }
    if SIDES[0] not in legs:
        return None
    outer = watched.ends[0]
    name = f"{endpoint(*outer[:2])} to {endpoint(*outer[2:])}"
    traffic = Traffic(address=outer[2], port=outer[3])
    exchange = Exchange(name, traffic, outer[1], outer[0])
    evidence = Evidence(
        run=Run(name="captures", title=""),
        series=director.series,
        topology=_Drawn(TOPOLOGY.summary, TOPOLOGY.link, TOPOLOGY.host),
        exchanges=(exchange,),
        captures={},
        whole={},
        answers=(),
        counters={},
    )
    made = ladder(evidence, Connection(exchange, legs))
    where = {
        f"{_place(side)} #{packet.frame}": f"{packet.place} #{packet.frame}"
        for side, packets in zip(SIDES, watched.sides, strict=True)
        for packet in packets
    }
    return replace(
        made, arrows=tuple(replace(one, where=where.get(one.where, "")) for one in made.arrows)
    )


def _place(side: str) -> str:
    return f"capture-{side}"


def _placed(packet: Packet, side: str) -> Packet:
    return msgspec.structs.replace(packet, place=_place(side))
