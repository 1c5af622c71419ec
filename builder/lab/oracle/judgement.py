"""What a row's judge says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from builder.lab.capture.packet import Packet
from builder.lab.capture.sums import CUT
from builder.lab.oracle.evidence import Evidence


@dataclass(frozen=True)
class Problem:
    """Something that is not as it must be: what was expected, and the packets it concerns."""

    expected: str
    packets: tuple[Packet, ...] = ()


@dataclass(frozen=True)
class Judgement:
    """``looked``: how many packets or facts were judged; none proves nothing.

    ``doubts``: what could not be judged, and why.  ``seen``: one line for people.
    ``unsupported``: why there is nothing to judge.
    """

    problems: tuple[Problem, ...] = ()
    doubts: tuple[Problem, ...] = ()
    looked: int = 0
    seen: str = ""
    unsupported: str = ""


@dataclass(frozen=True)
class Row:
    """An assertion: its name, what must hold, and who judges it."""

    name: str
    must_hold: str
    judge: Callable[[Evidence], Judgement]


class Findings:
    """Collects what a judge sees."""

    def __init__(self) -> None:
        self._problems: list[Problem] = []
        self._doubts: list[Problem] = []
        self._looked = 0

    def expect(self, holds: bool, expected: str, *packets: Packet | None) -> None:
        """Look at one thing; if it does not hold, ``expected`` and the packets are told."""
        self._looked += 1
        if not holds:
            known = tuple(packet for packet in packets if packet is not None)
            self._problems.append(Problem(expected, known))

    def doubt(self, why: str, *packets: Packet) -> None:
        """One thing that the captures cannot decide: ``why``, and the packets it concerns."""
        self._doubts.append(Problem(why, packets))

    def whole(self, *packets: Packet) -> bool:
        """Whether all of these were captured to their ends; those that were not are doubts."""
        cut = tuple(packet for packet in packets if packet.cut)
        if cut:
            self.doubt(CUT.why, *cut[:3])
        return not cut

    def close(self, seen: str, nothing: str) -> Judgement:
        """The judgement; ``nothing``: what was expected to be there and was not."""
        doubts = tuple(self._doubts)
        if not self._looked and not doubts:
            return Judgement((Problem(nothing),))
        return Judgement(tuple(self._problems), doubts, self._looked, seen)
