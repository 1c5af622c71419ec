"""ICMP errors about connections, matched with the same error on the other side."""

from __future__ import annotations

from builder.lab.capture.packet import Ends, Packet
from builder.lab.oracle.passage import OUTER
from builder.lab.trace.books import Notebook
from builder.lab.trace.director import Director
from builder.lab.trace.flow import Flow, Joined, Table

MOST = 1024
"""Errors that wait for their counterparts."""
ALONE = "an ICMP error on one side alone"
NOT_JOINED = "an ICMP error about a connection that was not joined"
Key = tuple[Ends, bool, str]


class Errors:
    def __init__(self, tables: tuple[Table, Table], director: Director, book: Notebook) -> None:
        self._tables, self._director, self._book = tables, director, book
        self._early: dict[int, list[tuple[bool, Packet]]] = {}
        self._waiting: tuple[dict[Key, Packet], dict[Key, Packet]] = ({}, {})

    def take(self, side: int, packet: Packet) -> bool:
        """Whether it is a relevant error."""
        if packet.quoted is None:
            return False
        known = self._about(side, packet)
        if known is None:
            return self._untranslated(side, packet)
        flow, forth = known
        row = self._book["icmp-through"]
        if flow.pair is not None:
            self._match(flow.pair, side, forth, packet)
        elif flow.held is not None:
            self._early.setdefault(id(flow), []).append((forth, packet))
        elif flow.begun or self._book.strict:
            row.doubt(NOT_JOINED, packet)
        return True

    def joined(self, flow: Flow) -> None:
        """Match the errors about a connection that came before its other half was known."""
        for forth, packet in self._early.pop(id(flow), ()):
            if flow.pair is not None:
                self._match(flow.pair, flow.side, forth, packet)

    def given_up(self, flow: Flow) -> None:
        """The connection's other half was not found."""
        for _, packet in self._early.pop(id(flow), ()):
            self._book["icmp-through"].doubt(NOT_JOINED, packet)

    def _match(self, pair: Joined, side: int, forth: bool, packet: Packet) -> None:
        row = self._book["icmp-through"]
        key = (pair.outer.ends, forth, packet.icmp)
        if self._waiting[1 - side].pop(key, None) is not None:
            row.look()
            return
        held = self._waiting[side]
        held[key] = packet
        if len(held) > MOST:
            row.doubt(ALONE, held.pop(next(iter(held))))

    def close(self) -> None:
        for held in self._waiting:
            for packet in held.values():
                self._book["icmp-through"].doubt(ALONE, packet)

    def _about(self, side: int, packet: Packet) -> tuple[Flow, bool] | None:
        for protocol in ("tcp", "udp"):
            if packet.quoted is not None:
                known = self._tables[side].of(protocol).get(packet.quoted)
                if known is not None:
                    return known
        return None

    def _untranslated(self, side: int, packet: Packet) -> bool:
        """Whether it quotes an address that must not be seen on its side."""
        quoted = packet.quoted or ("", 0, "", 0)
        director = self._director
        leak = director.hidden if side == OUTER else director.virtual
        if not {quoted[0], quoted[2]} & leak:
            return False
        words = "a quoted packet that is as this side has it"
        self._book["icmp-through"].expect(False, words, packet)
        return True
