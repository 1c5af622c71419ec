"""Where a link's name is written: beside its wires and hosts, never on them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

LINE = 14
"""Height of a line of text, in the drawing's units."""
WIDE = 7.2
"""Width of a character."""
GAP = 4
DISTANCES = (4, 10, 18, 28, 40, 54, 70, 90)
Anchor = Literal["start", "middle", "end"]


@dataclass(frozen=True)
class Rectangle:
    """What something covers."""

    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: Rectangle) -> bool:
        apart = self.right <= other.left or other.right <= self.left
        return not (apart or self.bottom <= other.top or other.bottom <= self.top)


@dataclass(frozen=True)
class Wire:
    """A link between two hosts, or from a host to the middle of a hub."""

    x1: float
    y1: float
    x2: float
    y2: float

    def crosses(self, area: Rectangle) -> bool:
        """Whether a part of it is in an area (Liang and Barsky's clipping)."""
        begin, end = 0.0, 1.0
        dx, dy = self.x2 - self.x1, self.y2 - self.y1
        for step, room in (
            (-dx, self.x1 - area.left),
            (dx, area.right - self.x1),
            (-dy, self.y1 - area.top),
            (dy, area.bottom - self.y1),
        ):
            if step == 0 and room < 0:
                return False
            if step < 0:
                begin = max(begin, room / step)
            elif step > 0:
                end = min(end, room / step)
        return begin < end


@dataclass(frozen=True)
class Label:
    """Two lines of text, the second ``LINE`` below the first one's base line ``y``."""

    x: float
    y: float
    text: str
    note: str
    anchor: Anchor

    @property
    def area(self) -> Rectangle:
        width = max(len(self.text), len(self.note)) * WIDE
        left = {"start": self.x, "middle": self.x - width / 2, "end": self.x - width}[self.anchor]
        return Rectangle(left, self.y - 11, left + width, self.y + LINE + GAP)


def place(
    middle: tuple[float, float],
    text: str,
    note: str,
    wires: Iterable[Wire],
    taken: Iterable[Rectangle],
) -> Label:
    """The label nearest to a link's middle that is on no wire and covers nothing; above the
    middle where no place is free."""
    lines, areas = tuple(wires), tuple(taken)
    found = tuple(_places(*middle, text, note))
    return next((one for one in found if _is_free(one.area, lines, areas)), found[0])


def _is_free(area: Rectangle, wires: tuple[Wire, ...], taken: tuple[Rectangle, ...]) -> bool:
    inside = area.left >= 0 and area.top >= 0
    return (
        inside
        and not any(wire.crosses(area) for wire in wires)
        and not any(area.meets(one) for one in taken)
    )


def _places(x: float, y: float, text: str, note: str) -> Iterator[Label]:
    for far in DISTANCES:
        above, below = y - far - LINE - GAP, y + far + 11
        yield Label(x, above, text, note, "middle")
        yield Label(x, below, text, note, "middle")
        for dx in (6.0, far + 6.0):
            yield Label(x + dx, above, text, note, "start")
            yield Label(x + dx, below, text, note, "start")
            yield Label(x - dx, above, text, note, "end")
            yield Label(x - dx, below, text, note, "end")
    for far in DISTANCES:  # beside it, between the wires of a hub
        yield Label(x + far, y - GAP, text, note, "start")
        yield Label(x - far, y - GAP, text, note, "end")
