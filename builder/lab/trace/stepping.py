"""Reads both sides in step, though the clocks of the capturing hosts may differ.

The difference is learned from connections that were joined: their SYN has been on both sides.
Until then both sides are read by turns, up to a limit, and then by their own clocks.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from operator import attrgetter

from builder.lab.capture.packet import Packet

AT_ONCE = 0.002
"""Seconds that a director may take to pass a packet on."""
APART = 20_000
"""Packets of each side that are read by turns to find a connection that is on both."""
Numbered = tuple[int, Packet]


class Stepping:
    """``ahead``: the inside's clock less the outside's, in seconds, when it is known.
    ``latest``: the time of the last packet read, by side.  ``ended``: sides without more."""

    def __init__(self, sides: tuple[list[Iterator[Packet]], list[Iterator[Packet]]]) -> None:
        self._readers = tuple(_merged(one) for one in sides)
        self.ahead: float | None = None
        self.latest = [0.0, 0.0]
        self.first: list[float | None] = [None, None]
        self.read = [0, 0]
        self.ended = [False, False]

    def learn(self, outer: float, inner: float) -> None:
        """A connection's SYN, as each side's clock has it."""
        self.ahead = inner - outer

    def packets(self) -> Iterator[Numbered]:
        """All packets, each with its side."""
        readers = self._readers
        waiting = [next(reader, None) for reader in readers]
        while True:
            outer, inner = waiting
            if outer is None and inner is None:
                self.ended = [True, True]
                return
            if inner is None:
                side, self.ended[1] = 0, True
            elif outer is None:
                side, self.ended[0] = 1, True
            else:
                side = self._next(outer, inner)
            packet = waiting[side]
            waiting[side] = next(readers[side], None)
            if packet is not None:
                self.read[side] += 1
                if self.first[side] is None:
                    self.first[side] = packet.time
                self.latest[side] = packet.time
                yield side, packet

    def _next(self, outer: Packet, inner: Packet) -> int:
        if self.ahead is not None:
            return int(inner.time - self.ahead < outer.time)
        if min(self.read) < APART:
            return int(self.read[1] < self.read[0])
        return int(inner.time < outer.time)

    def place(self, side: int, time: float) -> int:
        """Where a moment of the other side's clock is in the capture of ``side``.

        -1: before its first packet.  1: after its last packet, or so close to it that a reply may
        be missing.
        """
        ahead = self.ahead or 0.0
        there = time + ahead if side else time - ahead
        first = self.first[side]
        if first is None:
            return 0
        return -1 if there < first else int(there > self.latest[side] - AT_ONCE)

    def covers(self, side: int, time: float) -> bool:
        """Whether the capture of ``side`` ran at a moment of the other side's clock."""
        ahead = self.ahead or 0.0
        there = time + ahead if side else time - ahead
        first = self.first[side]
        return first is not None and first <= there <= self.latest[side]


def _merged(readers: list[Iterator[Packet]]) -> Iterator[Packet]:
    """Several captures of one side, by time: rotated files, or several interfaces."""
    if len(readers) == 1:
        return readers[0]
    return heapq.merge(*readers, key=attrgetter("time"))
