"""The topology as a drawing: where hosts and links are, in the drawing's units."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_interface

from builder.lab.scenario.model import Scenario, Topology

COLUMN, ROW = 250, 96
BOX_WIDTH, BOX_HEIGHT = 132, 58
MARGIN = 16


@dataclass(frozen=True)
class Box:
    """A host.  ``lines``: what is written below its name; ``marks``: addresses with a part in
    FULLNAT, and which."""

    name: str
    role: str
    x: float
    y: float
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Wire:
    """A link between two hosts, or from a host to the middle of a hub."""

    x1: float
    y1: float
    x2: float
    y2: float


@dataclass(frozen=True)
class Label:
    """Words at a place: a link's name or what an address is for."""

    x: float
    y: float
    text: str
    note: str = ""


@dataclass(frozen=True)
class Drawing:
    """All of it."""

    width: float
    height: float
    boxes: tuple[Box, ...]
    wires: tuple[Wire, ...]
    labels: tuple[Label, ...]
    hubs: tuple[Label, ...]


def _place(column: float, row: float) -> tuple[float, float]:
    return MARGIN + column * COLUMN, MARGIN + row * ROW


def _lines(topology: Topology, scenario: Scenario, name: str) -> tuple[str, ...]:
    host = topology.host[name]
    virtual = {service.address for run in scenario.run for service in run.service}
    local = {address for run in scenario.run for s in run.service for address in s.local}
    six = any(":" in address for address in virtual)
    lines: list[str] = []
    for card in host.interface:
        for address in map(ip_interface, card.addresses):
            plain = str(address.ip)
            mark = " VIP" if plain in virtual else " local" if plain in local else ""
            first = plain == str(ip_interface(card.addresses[0]).ip)
            if mark or (first and not six) or (six and address.version == 6):
                lines.append(plain + mark)
    return tuple(lines)


def draw(topology: Topology, scenario: Scenario) -> Drawing:
    """Hosts where the topology's columns and rows put them, and their links."""
    boxes: dict[str, Box] = {}
    for name, host in topology.host.items():
        x, y = _place(host.column, host.row)
        boxes[name] = Box(name, host.role, x, y, _lines(topology, scenario, name))
    wires: list[Wire] = []
    labels: list[Label] = []
    hubs: list[Label] = []
    for name, link in topology.link.items():
        ends = [boxes[host] for host in topology.hosts_on(name)]
        middles = [(box.x + BOX_WIDTH / 2, box.y + BOX_HEIGHT / 2) for box in ends]
        x = sum(one for one, _ in middles) / len(middles)
        y = sum(one for _, one in middles) / len(middles)
        if len(ends) == 2:
            (x1, y1), (x2, y2) = middles
            wires.append(Wire(x1, y1, x2, y2))
        else:
            wires += [Wire(one, other, x, y) for one, other in middles]
            hubs.append(Label(x, y, name))
        labels.append(Label(x, y - 8, name, link.title))
    width = max(box.x for box in boxes.values()) + BOX_WIDTH + MARGIN
    tallest = max(len(box.lines) for box in boxes.values())
    height = max(box.y for box in boxes.values()) + BOX_HEIGHT + max(0, tallest - 2) * 14 + MARGIN
    return Drawing(width, height, tuple(boxes.values()), tuple(wires), tuple(labels), tuple(hubs))
