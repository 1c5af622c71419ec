"""The topology as a drawing: where hosts and links are, in the drawing's units."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_interface

from builder.lab.page.labels import LINE, Label, Rectangle, Wire, place
from builder.lab.scenario.model import Scenario, Topology

COLUMN, ROW = 270, 96
BOX_WIDTH, BOX_HEIGHT = 132, 58
MARGIN = 16
# For narrow screens: what is a column is a row there.
NARROW_COLUMN, TALL_ROW = 97, 150


@dataclass(frozen=True)
class Box:
    """A host.

    ``lines``: the addresses below its name, with their role in FULLNAT if they have one.
    """

    name: str
    role: str
    x: float
    y: float
    lines: tuple[str, ...]

    @property
    def height(self) -> float:
        return max(BOX_HEIGHT, 26 + LINE * len(self.lines))

    @property
    def area(self) -> Rectangle:
        return Rectangle(self.x, self.y, self.x + BOX_WIDTH, self.y + self.height)

    @property
    def words(self) -> str:
        return f"{self.name} ({self.role}): {', '.join(self.lines)}"


@dataclass(frozen=True)
class Hub:
    """The middle of a link of more than two hosts."""

    x: float
    y: float


@dataclass(frozen=True)
class Drawing:
    """All of it."""

    width: float
    height: float
    boxes: tuple[Box, ...]
    wires: tuple[Wire, ...]
    labels: tuple[Label, ...]
    hubs: tuple[Hub, ...]


def _place(column: float, row: float, *, upright: bool) -> tuple[float, float]:
    if upright:
        return MARGIN + row * NARROW_COLUMN, MARGIN + column * TALL_ROW
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


def draw(topology: Topology, scenario: Scenario, *, upright: bool = False) -> Drawing:
    """Hosts where the topology's columns and rows put them, and their links.

    ``upright``: for a narrow screen, from top to bottom in place of left to right.
    """
    boxes: dict[str, Box] = {}
    for name, host in topology.host.items():
        x, y = _place(host.column, host.row, upright=upright)
        boxes[name] = Box(name, host.role, x, y, _lines(topology, scenario, name))
    wires: list[Wire] = []
    middles: dict[str, tuple[float, float]] = {}
    hubs: list[Hub] = []
    for name in topology.link:
        ends = [boxes[host] for host in topology.hosts_on(name)]
        points = [(box.x + BOX_WIDTH / 2, box.y + BOX_HEIGHT / 2) for box in ends]
        x = sum(one for one, _ in points) / len(points)
        y = sum(one for _, one in points) / len(points)
        middles[name] = (x, y)
        if len(ends) == 2:
            wires.append(Wire(*points[0], *points[1]))
        else:
            wires += [Wire(*point, x, y) for point in points]
            hubs.append(Hub(x, y))
    labels: list[Label] = []
    for name, middle in middles.items():
        taken = [box.area for box in boxes.values()] + [label.area for label in labels]
        labels.append(place(middle, name, topology.link[name].title, wires, taken))
    covered = [box.area for box in boxes.values()] + [label.area for label in labels]
    width = max(area.right for area in covered) + MARGIN
    height = max(area.bottom for area in covered) + MARGIN
    return Drawing(width, height, tuple(boxes.values()), tuple(wires), tuple(labels), tuple(hubs))
