"""``report.html`` of captures that were made elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from builder import pages
from builder.lab import tally
from builder.lab.capture.packet import Packet, endpoint
from builder.lab.oracle.evidence import Connection, Evidence, Exchange, Leg
from builder.lab.oracle.views import Place, place_of
from builder.lab.page.ladder import Ladder, ladder
from builder.lab.scenario.model import Host, Link, Run, Topology, Traffic
from builder.lab.trace.director import Director
from builder.lab.trace.judge import JudgedTrace
from builder.lab.trace.showing import Watched
from builder.lab.verdict import RowVerdict

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
    run = trial.verdict.runs[0]
    faults = {row.name: _faults(row) for row in run.rows}
    shown = tuple(_shown(trial, frozenset().union(*faults.values())))
    return environment.get_template("captures.html.j2").render(
        verdict=trial.verdict,
        run=run,
        tally=tally.of_runs(trial.verdict.runs),
        director=trial.director,
        sides=tuple(zip(SIDES, files, strict=True)),
        unjoined=trial.unjoined,
        shown=shown,
        drawn={
            f"{run.name}/{name}": one.anchor
            for name, places in faults.items()
            for one in reversed(shown)
            if places & one.places
        },
    )


@dataclass(frozen=True)
class _Shown:
    """A connection on the page, and where its packets are."""

    ladder: Ladder
    anchor: str
    places: frozenset[Place]


def _faults(row: RowVerdict) -> frozenset[Place]:
    """The packets that an assertion complains about."""
    return frozenset((one.capture, one.frame) for fault in row.faults for one in fault.packets)


def _shown(trial: JudgedTrace, wrong: frozenset[Place]) -> Iterator[_Shown]:
    """The connections that are drawn, with the packets ``wrong`` marked."""
    for number, watched in enumerate(trial.shown, 1):
        made = _ladder(watched, trial.director, wrong)
        if made is not None:
            places = frozenset(place_of(packet) for side in watched.sides for packet in side)
            yield _Shown(made, pages.anchor("connection", str(number)), places)


def _ladder(watched: Watched, director: Director, wrong: frozenset[Place]) -> Ladder | None:
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
    marked = frozenset(
        (_place(side), packet.frame)
        for side, packets in zip(SIDES, watched.sides, strict=True)
        for packet in packets
        if place_of(packet) in wrong
    )
    made = ladder(evidence, Connection(exchange, legs), marked)
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
