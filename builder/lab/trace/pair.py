"""A connection that was found on both sides of the director, and what must hold of it."""

from __future__ import annotations

from collections.abc import Callable

from builder.lab.capture.packet import SYN, Packet
from builder.lab.oracle import connection
from builder.lab.oracle.passage import INNER, Excused, Passage, nothing
from builder.lab.oracle.stream import distance
from builder.lab.trace.books import Notebook
from builder.lab.trace.datagrams import Datagrams
from builder.lab.trace.director import Director
from builder.lab.trace.flow import Flow
from builder.lab.trace.showing import Watched

EARLY = 256
"""Packets that are held until the numbers of both directions are known."""
NO_ANSWER = "no SYN-ACK was captured on both sides"


class Pair:
    """``early``: packets that came before the handshake was complete."""

    __slots__ = (
        *("book", "data", "datagrams", "director", "early", "inner", "outer", "passage"),
        "watched",
    )

    def __init__(
        self,
        outer: Flow,
        inner: Flow,
        director: Director,
        book: Notebook,
        watched: Watched | None = None,
    ) -> None:
        self.outer, self.inner = outer, inner
        self.director, self.book = director, book
        self.passage: Passage | None = None
        self.datagrams = Datagrams(book) if outer.protocol == "udp" else None
        self.early: list[tuple[int, bool, Packet]] = []
        self.data = False
        self.watched = watched
        book.joined += 1
        self._judging(self._opened)

    def take(self, side: int, forth: bool, packet: Packet) -> None:
        """One more packet of either half."""
        if self.watched is None:
            self._take(side, forth, packet)
            return
        self.watched.take(side, packet)
        self._judging(lambda: self._take(side, forth, packet))

    def _judging(self, act: Callable[[], None]) -> None:
        """Note whether this connection failed, if it is watched."""
        if self.watched is None:
            act()
            return
        before = self.book.failures
        act()
        self.watched.failed |= self.book.failures > before

    def _take(self, side: int, forth: bool, packet: Packet) -> None:
        if self.datagrams is not None:
            self.datagrams.take(side, forth, packet)
            return
        if side == INNER and forth and packet.payload:
            self._told(packet)
        if self.passage is None:
            if len(self.early) < EARLY:
                self.early.append((side, forth, packet))
            self._begin()
            return
        self.passage.take(side, forth, packet)

    def close(self, why: str, excused: Excused = nothing) -> None:
        """No more packets; ``why``: the reason for packets on one side only, unless ``excused``."""
        self._judging(lambda: self._close(why, excused))

    def _close(self, why: str, excused: Excused) -> None:
        if self.datagrams is not None:
            self.book.whole += self.datagrams.met
            self.datagrams.close(why, excused)
            return
        if self.passage is not None:
            self.book.whole += bool(self.outer.ended and self.inner.ended)
            self.passage.close(why, excused)
            self.book.total += self.passage.total
            self.book.resegmented += self.passage.resegmented
            return
        last = (self.outer.first, self.inner.first)
        if any(excused(side, packet) for side, packet in enumerate(last)):
            return
        for row in ("reply-destination", "outer-reply", "mss", "sequence-delta", "payload"):
            self.book[row].doubt(NO_ANSWER + why, self.outer.first, self.inner.first)

    @property
    def is_done(self) -> bool:
        """Both halves are closed, and nothing waits for its counterpart."""
        if not (self.outer.ended and self.inner.ended):
            return False
        return self.passage is not None and self.passage.empty

    @property
    def told(self) -> bool:
        """Whether an option must tell servers this client."""
        return self.director.toa and bool(self._toa[0])

    @property
    def _toa(self) -> connection.Toa:
        return connection.toa_of(self.director.series, *self.outer.peer)

    def _opened(self) -> None:
        """What the first packets of both sides say."""
        book, director, inner = self.book, self.director, self.inner
        book["outer-tuple"].look()
        local, ports = director.local, director.local_ports
        connection.inner_source(book["inner-source"], inner.first, local, ports)
        if self.outer.protocol == "udp":
            return
        book["first-packet"].look()
        if self.told:
            connection.toa_first(book["toa-first"], self._toa, inner.syn, inner.first)
        connection.sequence(book["sequence"], director.series, self.outer.syn, inner.syn)
        connection.timestamp(book["timestamp"], director.series, self.outer.syn, inner.syn)

    def _begin(self) -> None:
        """Once both handshakes have their numbers, packets can be compared."""
        outer, inner = self.outer, self.inner
        if outer.start is None or inner.start is None:
            return
        if outer.start_back is None or inner.start_back is None:
            return
        starts = ((outer.start, outer.start_back), (inner.start, inner.start_back))
        self._answered(connection.deltas(*starts))
        outer.settle()
        inner.settle()
        self.passage = Passage(self.book.passage(), starts)
        for side, forth, packet in self.early:
            self.passage.take(side, forth, packet)
        self.early = []

    def _answered(self, shifts: tuple[int, int]) -> None:
        book, director, outer, inner = self.book, self.director, self.outer, self.inner
        if len(book.shifts) < EARLY:
            book.shifts.update(shifts)
        connection.unshifted(
            book["sequence-delta"], director.series, shifts, outer.first, inner.first
        )
        connection.reply_destination(book["reply-destination"], inner.first, inner.answer)
        answers = (outer.answer,) if outer.answer is not None else ()
        connection.outer_reply(book["outer-reply"], outer.ends, outer.syn, answers, outer.first)
        refused = inner.answer is not None and not inner.answer.flags & SYN
        if self.told and not refused:
            room = connection.toa_room(director.series, outer.peer[0])
            book.sizes = connection.mss(book["mss"], room, inner.answer, outer.answer)

    def _told(self, packet: Packet) -> None:
        """The option on data to the server."""
        start = self.inner.start
        if not self.told or start is None:
            return
        at = distance(packet.sequence, start)
        if at > 0:
            connection.no_toa_later(self.book["no-toa-later"], self._toa[0], packet)
        elif at == 0 and not self.data:
            self.data = True
            connection.toa_on_data(self.book["toa-on-data"], self._toa, packet)
