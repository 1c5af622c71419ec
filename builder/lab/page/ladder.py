"""A connection as a ladder: hosts side by side, each packet a row of arrows, changes marked."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address

from builder.lab.capture.packet import Packet, endpoint
from builder.lab.oracle.evidence import Connection, Evidence
from builder.lab.oracle.views import Step, steps
from builder.lab.series import Fullnat

COLUMN = 350
ROW = 46
MARGIN = 60
HEAD = 30


@dataclass(frozen=True)
class LabelPart:
    """A piece of a label; ``changed``: the host before the arrow made it different."""

    text: str
    changed: bool


@dataclass(frozen=True)
class Arrow:
    """A packet on one link."""

    x1: float
    x2: float
    y: float
    parts: tuple[LabelPart, ...]
    detail: tuple[LabelPart, ...]
    where: str


@dataclass(frozen=True)
class Ladder:
    """``lifelines``: name and place of each host.  ``gaps``: rows of packets left out."""

    exchange: str
    width: float
    height: float
    lifelines: tuple[tuple[str, float], ...]
    arrows: tuple[Arrow, ...]
    gaps: tuple[tuple[float, int], ...]


def ladder(evidence: Evidence, connection: Connection) -> Ladder:
    """Draw ``connection``."""
    way = _way(evidence, connection)
    places: dict[str, float] = {name: MARGIN + index * COLUMN for index, name in enumerate(way)}
    arrows: list[Arrow] = []
    gaps: list[tuple[float, int]] = []
    y: float = HEAD + ROW
    for step in steps(evidence, connection):
        if step.skipped:
            gaps.append((y - 14, step.skipped))
            y += ROW * 0.6
        arrows += _arrows(step, evidence, places, y)
        y += ROW
    width = MARGIN * 2 + COLUMN * (len(way) - 1)
    return Ladder(
        connection.exchange.name, width, y, tuple(places.items()), tuple(arrows), tuple(gaps)
    )


def _way(evidence: Evidence, connection: Connection) -> tuple[str, ...]:
    """The hosts that the connection passes, from the client on."""
    way = [connection.exchange.traffic.host]
    links = list(connection.legs)
    while links:
        for link in links:
            hosts = evidence.topology.hosts_on(link)
            if way[-1] in hosts:
                way += [_next(evidence, connection, hosts, way)]
                links.remove(link)
                break
        else:
            break
    return tuple(way)


def _next(
    evidence: Evidence, connection: Connection, hosts: tuple[str, ...], way: list[str]
) -> str:
    """The host on a link that comes next: the director, if there are several."""
    others = [host for host in hosts if host not in way]
    roles = {host: evidence.topology.host[host].role for host in others}
    return next((host for host in others if roles[host] == "director"), others[0])


def _arrows(step: Step, evidence: Evidence, places: dict[str, float], y: float) -> list[Arrow]:
    arrows: list[Arrow] = []
    before: Packet | None = None
    for packet in step.packets:
        link = packet.place.partition("-")[2]
        ends = [places[host] for host in evidence.topology.hosts_on(link) if host in places]
        if len(ends) < 2:
            continue
        left, right = min(ends), max(ends)
        x1, x2 = (left, right) if step.forth else (right, left)
        where = f"{packet.place} #{packet.frame}"
        arrows.append(
            Arrow(x1, x2, y, _ends(packet, before), _detail(packet, before, evidence.series), where)
        )
        before = packet
    return arrows


def _ends(packet: Packet, before: Packet | None) -> tuple[LabelPart, ...]:
    source = endpoint(packet.source, packet.source_port)
    target = endpoint(packet.destination, packet.port)
    if before is None:
        return (LabelPart(source, False), LabelPart(" → ", False), LabelPart(target, False))
    return (
        LabelPart(source, packet.ends[:2] != before.ends[:2]),
        LabelPart(" → ", False),
        LabelPart(target, packet.ends[2:] != before.ends[2:]),
    )


def _detail(packet: Packet, before: Packet | None, series: Fullnat) -> tuple[LabelPart, ...]:
    if packet.protocol != "tcp":
        return (LabelPart(packet.detail, False),)
    parts = [LabelPart(f"[{packet.flag_text}]", False)]
    shifted = before is not None and packet.sequence != before.sequence
    parts.append(LabelPart(f" seq {packet.sequence}", shifted))
    if packet.payload:
        parts.append(LabelPart(f" {len(packet.payload)} B", False))
    if packet.mss is not None:
        parts.append(
            LabelPart(f" mss {packet.mss}", before is not None and packet.mss != before.mss)
        )
    told = _toa(packet, series)
    if told is not None:
        parts.append(
            LabelPart(f" TOA {_client(told)}", before is not None and _toa(before, series) is None)
        )
    return tuple(parts)


def _toa(packet: Packet, series: Fullnat) -> bytes | None:
    """The client's address, by the series' options for it."""
    return packet.option(series.toa_kind) or packet.option(series.toa_kind6)


def _client(value: bytes) -> str:
    """The client that an option names."""
    if len(value) not in (6, 18):
        return value.hex()
    return endpoint(str(ip_address(value[2:])), int.from_bytes(value[:2], "big"))
