"""A connection of datagrams: each must be the same on the other side."""

from __future__ import annotations

from builder.lab.capture.packet import Packet
from builder.lab.oracle.passage import OUTER, Excused, nothing
from builder.lab.trace.books import Notebook

MOST = 64
"""Datagrams of one direction and side that wait for their counterparts."""


class Datagrams:
    __slots__ = ("answered", "book", "met", "waiting")

    def __init__(self, book: Notebook) -> None:
        self.book = book
        self.waiting: dict[tuple[int, bool], list[Packet]] = {}
        self.met = False
        self.answered: set[int] = set()

    def take(self, side: int, forth: bool, packet: Packet) -> None:
        """Datagrams may overtake each other, so any waiting one may be the counterpart."""
        if not forth and side not in self.answered:
            self.answered.add(side)
            self.book["outer-reply" if side == OUTER else "reply-destination"].look()
        others = self.waiting.get((1 - side, forth), [])
        found = next((one for one in others if one.payload == packet.payload), None)
        if found is None or packet.cut or found.cut:
            held = self.waiting.setdefault((side, forth), [])
            held.append(packet)
            if len(held) > MOST:
                self._settle(forth, "", nothing)
            return
        self.met = True
        others.remove(found)
        came = (side == OUTER) == forth
        near, far = (packet, found) if came else (found, packet)
        self.book["payload"].look()
        self.book.total += len(packet.payload)
        self.book["ttl"].expect(far.ttl <= near.ttl, f"a TTL of {near.ttl} at most", far, near)

    def close(self, why: str, excused: Excused) -> None:
        for forth in (True, False):
            self._settle(forth, why, excused)

    def _settle(self, forth: bool, why: str, excused: Excused) -> None:
        """Two that clearly match but have different bytes are wrong; others cannot be judged."""
        payload = self.book["payload"]
        outer = self.waiting.pop((0, forth), [])
        inner = self.waiting.pop((1, forth), [])
        for one in tuple(outer):
            like = [other for other in inner if _is_like(one, other)]
            if len(like) == 1 and not one.cut and not like[0].cut:
                near, far = (one, like[0]) if forth else (like[0], one)
                payload.expect(False, "the bytes that were sent", far, near)
                outer.remove(one)
                inner.remove(like[0])
        for side, held in enumerate((outer, inner)):
            for one in held:
                if not excused(side, one) and payload.whole(one):
                    payload.doubt(f"on one side alone{why}", one)


def _is_like(one: Packet, other: Packet) -> bool:
    return one.size == other.size and one.ident == other.ident
