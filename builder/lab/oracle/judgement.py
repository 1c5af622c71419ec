"""What a row's judge says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from builder.lab.capture.packet import Packet
from builder.lab.capture.sums import CUT
from builder.lab.oracle.evidence import Evidence
from builder.lab.verdict import Why

SHOWN = 20
"""Faults of one row that are kept; what is wrong once is often wrong everywhere."""


@dataclass(frozen=True)
class Problem:
    """Something that is not as it must be: what was expected, and the packets it concerns."""

    expected: str
    packets: tuple[Packet, ...] = ()


@dataclass(frozen=True)
class Judgement:
    """``looked``: how many packets or facts were judged; none proves nothing.

    ``problems``: what is wrong; ``failed`` counts all.  ``doubts``: what could not be judged, and
    why; ``doubted`` counts all.  ``seen``: one line for people.  ``unsupported``: why there is
    nothing to judge.  ``why``: of which kind this reason is, or that of the doubts.
    """

    problems: tuple[Problem, ...] = ()
    doubts: tuple[Problem, ...] = ()
    looked: int = 0
    seen: str = ""
    unsupported: str = ""
    failed: int = 0
    doubted: int = 0
    why: Why = ""


@dataclass(frozen=True)
class Row:
    """An assertion: its name, what must hold, and who judges it."""

    name: str
    must_hold: str
    judge: Callable[[Evidence], Judgement]


class Findings:
    """Collects a judge's findings: all are counted, the first of each kind are kept."""

    def __init__(self) -> None:
        self._problems: list[Problem] = []
        self._doubts: list[Problem] = []
        self._looked = self._failed = self._doubted = 0

    @property
    def nothing(self) -> bool:
        """Nothing was looked at, and nothing is doubtful."""
        return not self._looked and not self._doubted

    @property
    def looked(self) -> int:
        return self._looked

    @property
    def failed(self) -> int:
        return self._failed

    def look(self, count: int = 1) -> None:
        """Count one thing, or several, that are as they must be."""
        self._looked += count

    def expect(self, holds: bool, expected: str, *packets: Packet | None) -> None:
        """Count one thing; if it does not hold, keep ``expected`` and the packets."""
        self._looked += 1
        if not holds:
            self._failed += 1
            if self._failed <= SHOWN:
                known = tuple(packet for packet in packets if packet is not None)
                self._problems.append(Problem(expected, known))

    def doubt(self, why: str, *packets: Packet) -> None:
        """One thing that the captures cannot decide: ``why``, and the packets it concerns."""
        self._doubted += 1
        if self._doubted <= SHOWN:
            self._doubts.append(Problem(why, packets))

    def whole(self, *packets: Packet) -> bool:
        """Whether all of these were captured completely; truncated packets become doubts."""
        cut = tuple(packet for packet in packets if packet.cut)
        if cut:
            self.doubt(CUT.why, *cut[:3])
        return not cut

    def close(self, seen: str, nothing: str) -> Judgement:
        """The judgement; ``nothing``: what was expected, if nothing was found."""
        if self.nothing:
            return Judgement((Problem(nothing),), failed=1)
        return Judgement(
            tuple(self._problems),
            tuple(self._doubts),
            self._looked,
            seen,
            failed=self._failed,
            doubted=self._doubted,
        )
