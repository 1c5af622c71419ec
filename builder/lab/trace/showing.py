"""The connections that a report shows packet by packet: the first, and those that failed."""

from __future__ import annotations

from dataclasses import dataclass, field

from builder.lab.capture.packet import Ends, Packet

WATCHED = 64
"""Connections whose packets are kept, the first ones: memory is for what is open."""
KEPT = 24
"""Packets of each that are kept, on each side."""
SHOWN = 4


@dataclass(eq=False)
class Watched:
    """``sides``: packets outside and inside, each with whether it went to the server."""

    ends: tuple[Ends, Ends]
    sides: tuple[list[Packet], list[Packet]] = field(default_factory=lambda: ([], []))
    failed: bool = False

    def take(self, side: int, packet: Packet) -> None:
        if len(self.sides[side]) < KEPT:
            self.sides[side].append(packet)


class Showing:
    def __init__(self) -> None:
        self._watched: list[Watched] = []

    def watch(self, outer: Ends, inner: Ends) -> Watched | None:
        """One more connection: its packets are kept, if it is one of the first."""
        if len(self._watched) == WATCHED:
            return None
        self._watched.append(Watched((outer, inner)))
        return self._watched[-1]

    @property
    def shown(self) -> tuple[Watched, ...]:
        """The first, and then those that failed."""
        failed = [one for one in self._watched[1:] if one.failed]
        return (*self._watched[:1], *failed[: SHOWN - 1])
