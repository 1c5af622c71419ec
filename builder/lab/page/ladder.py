"""A connection as a ladder: hosts side by side, each packet a row of arrows, changes marked."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from builder.lab.capture.packet import Packet
from builder.lab.oracle.evidence import Connection, Evidence
from builder.lab.oracle.views import Place, Step, place_of, steps
from builder.lab.page.segment import LabelPart, detail, ends, plain
from builder.lab.scenario.model import Topology

COLUMN = 200
"""From a host to the next, at least."""
ROW = 50
MARGIN = 48
HEAD = 30
CHARACTER = 7.0
"""Width of a character of the labels, in the drawing's units."""
ROOM = 30


@dataclass(frozen=True)
class Arrow:
    """A packet on one link, from host to host.

    ``where``: capture and frame.  ``wrong``: an assertion complains about it.
    """

    x1: float
    x2: float
    y: float
    parts: tuple[LabelPart, ...]
    detail: tuple[LabelPart, ...]
    where: str
    sender: str
    receiver: str
    wrong: bool = False


@dataclass(frozen=True)
class Ladder:
    """``lifelines``: name and place of each host.  ``gaps``: rows of packets left out."""

    exchange: str
    width: float
    height: float
    lifelines: tuple[tuple[str, float], ...]
    arrows: tuple[Arrow, ...]
    gaps: tuple[tuple[float, int], ...]


@dataclass(frozen=True)
class _Hop:
    """A packet on one link, before it has a place on the page."""

    packet: Packet
    sender: str
    receiver: str
    parts: tuple[LabelPart, ...]
    detail: tuple[LabelPart, ...]

    @property
    def length(self) -> float:
        return max(len(plain(self.parts)), len(plain(self.detail))) * CHARACTER + ROOM


def ladder(
    evidence: Evidence, connection: Connection, wrong: frozenset[Place] = frozenset()
) -> Ladder:
    """Draw ``connection``; ``wrong``: packets to be marked, which are not left out."""
    found = steps(evidence, connection, wrong)
    return _drawn(connection.exchange.name, found, evidence, wrong)


def loose(evidence: Evidence, packets: Iterable[Packet]) -> Ladder:
    """Draw packets that belong to no exchange, all of them marked."""
    chosen = tuple(packets)
    found = tuple(Step(True, (packet,)) for packet in chosen)
    return _drawn("", found, evidence, frozenset(map(place_of, chosen)))


def _drawn(
    exchange: str, found: tuple[Step, ...], evidence: Evidence, wrong: frozenset[Place]
) -> Ladder:
    rows = [(step, tuple(_hops(step, evidence))) for step in found]
    hosts = _lifelines(evidence.topology, [hop for _, hops in rows for hop in hops])
    places = _places(hosts, [hop for _, hops in rows for hop in hops])
    arrows: list[Arrow] = []
    gaps: list[tuple[float, int]] = []
    y: float = HEAD + ROW
    for step, hops in rows:
        if step.skipped:
            gaps.append((y - 14, step.skipped))
            y += ROW * 0.6
        arrows += (_arrow(hop, places, y, wrong) for hop in hops)
        y += ROW
    width = max(places.values(), default=MARGIN) + MARGIN
    return Ladder(exchange, width, y, tuple(places.items()), tuple(arrows), tuple(gaps))


def _arrow(hop: _Hop, places: dict[str, float], y: float, wrong: frozenset[Place]) -> Arrow:
    return Arrow(
        places[hop.sender],
        places[hop.receiver],
        y,
        hop.parts,
        hop.detail,
        f"{hop.packet.place} #{hop.packet.frame}",
        hop.sender,
        hop.receiver,
        place_of(hop.packet) in wrong,
    )


def _places(hosts: tuple[str, ...], hops: list[_Hop]) -> dict[str, float]:
    """Where each host's lifeline is: as far from the one before as the labels between them need."""
    order = {name: number for number, name in enumerate(hosts)}
    columns: list[float] = [COLUMN] * max(len(hosts) - 1, 0)
    for hop in sorted(hops, key=lambda one: abs(order[one.sender] - order[one.receiver])):
        first, last = sorted((order[hop.sender], order[hop.receiver]))
        lacking = max(hop.length - sum(columns[first:last]), 0) / (last - first)
        columns[first:last] = [column + lacking for column in columns[first:last]]
    places = itertools.accumulate(columns, initial=float(MARGIN))
    return dict(zip(hosts, places, strict=False))


def _lifelines(topology: Topology, hops: list[_Hop]) -> tuple[str, ...]:
    """The hosts that take part, from left to right as the topology's drawing has them."""
    part = {name for hop in hops for name in (hop.sender, hop.receiver)}
    hosts = topology.host
    return tuple(sorted(part, key=lambda name: (hosts[name].column, hosts[name].row)))


def _hops(step: Step, evidence: Evidence) -> Iterator[_Hop]:
    """A packet's way, link by link, as far as it is known who sent it to whom."""
    before: Packet | None = None
    for packet in step.packets:
        found = between(packet, evidence.topology, forth=step.forth)
        if found is not None:
            yield _Hop(
                packet, *found, ends(packet, before), detail(packet, before, evidence.series)
            )
            before = packet


def between(packet: Packet, topology: Topology, *, forth: bool) -> tuple[str, str] | None:
    """The sender and the receiver of a packet on its link, None if they are unknown.

    They are found by the addresses of the cards (on a hub many hosts hear it).  If the capture has
    other addresses, they are found by the packet's own, and by its direction on a link of two.
    """
    link = packet.place.partition("-")[2]
    hosts = topology.hosts_on(link)
    cards = {topology.mac(name, link): name for name in hosts if topology.host[name].interface}
    sender = cards.get(packet.mac, "") or _owner(packet.source, topology, hosts)
    receiver = cards.get(packet.to, "") or _owner(packet.destination, topology, hosts)
    if len(hosts) == 2:
        first, second = sorted(hosts, key=lambda name: topology.host[name].column)
        if not sender and not receiver:
            return (first, second) if forth else (second, first)
        sender = sender or (first if receiver == second else second)
        receiver = receiver or (first if sender == second else second)
    return (sender, receiver) if sender and receiver and sender != receiver else None


def _owner(address: str, topology: Topology, hosts: tuple[str, ...]) -> str:
    owner = topology.owner(address)
    return owner if owner in hosts else ""
