"""Judges captures of both sides of a director, packet by packet."""

from __future__ import annotations

from collections import deque

from builder.lab.capture.packet import ACK, SYN, Ends, Packet
from builder.lab.oracle import connection
from builder.lab.oracle.passage import INNER, OUTER
from builder.lab.oracle.stream import SPACE
from builder.lab.trace.books import Notebook
from builder.lab.trace.clients import Clients
from builder.lab.trace.director import Director
from builder.lab.trace.errors import Errors
from builder.lab.trace.flow import Flow, Joined, Table
from builder.lab.trace.joining import ALONE, Joiner, claimed
from builder.lab.trace.pair import Pair
from builder.lab.trace.showing import Showing
from builder.lab.trace.stepping import Stepping

PATIENCE = 0.25
"""Seconds that a half waits for rivals to come, where not all signs agree."""
HOLD = 64
"""Packets of a half that are held until it is joined."""
LOOK = 1000
"""Packets between two looks for halves whose patience is gone."""
SWEEP = 20
"""Such looks between two for connections that are over."""
BEGAN_EARLIER = "it began before the capture did"
ENDED_LATER = "it began when the capture of the other side was over"
STILL_OPEN = "it was still open when the captures ended, and was judged up to there"
TOO_LATE = f"it was not joined within {HOLD} packets"


class Tracer:
    """``tables``: open connections, by side."""

    def __init__(
        self, director: Director, step: Stepping, showing: Showing, *, strict: bool
    ) -> None:
        self.director, self.step, self.showing = director, step, showing
        self.book = Notebook(strict=strict)
        self.tables = (Table(), Table())
        self.clients = Clients()
        self.errors = Errors(self.tables, director, self.book)
        self._looks = (self.errors.take, self._leaks, self._concerns)
        self._joiner = Joiner(director.series)
        self._waiting: deque[Flow] = deque()
        self._given_up: deque[Flow] = deque()
        self._until_look = LOOK
        self._until_sweep = SWEEP

    def run(self) -> Notebook:
        """Read all there is, and close what is open."""
        # Of fragments, the datagram that they make comes as a packet of its own.
        tables = {one: tuple(table.of(one) for table in self.tables) for one in ("tcp", "udp")}
        book = self.book
        packets, sums = book.packets, book["checksums"]
        for side, packet in self.step.packets():
            packets[side] += 1
            table = tables.get(packet.protocol)
            known = table[side].get(packet.ends) if table is not None else None
            if known is None or (packet.flags & SYN and not packet.flags & ACK):
                self._other(side, packet)
            else:
                if packet.sums.right:
                    sums.look()
                else:
                    connection.checksums(sums, packet, book.beyond)
                self._take(known[0], known[1], packet)
            self._until_look -= 1
            if not self._until_look:
                self._look()
        self._finish()
        return book

    def _take(self, flow: Flow, forth: bool, packet: Packet) -> None:
        """A packet of a connection that is known."""
        fresh = flow.data is None
        flow.see(packet, forth)
        pair = flow.pair
        if pair is not None:
            pair.take(flow.side, forth, packet)
            return
        if flow.held is None:
            return
        flow.held.append(packet)
        if fresh and flow.data is not None:
            self._joiner.heard(flow)
            self._try(flow, patient=True)
        elif len(flow.held) >= HOLD and not self._try(flow, patient=False):
            self._give_up(flow, TOO_LATE)

    def _other(self, side: int, packet: Packet) -> None:
        """The first packet of a connection, one of another protocol, or of no concern."""
        opened = packet.protocol in ("tcp", "udp") and self._opens(side, packet)
        if opened or any(look(side, packet) for look in self._looks):
            connection.checksums(self.book["checksums"], packet, self.book.beyond)
        else:
            self.book.foreign[side] += 1

    def _opens(self, side: int, packet: Packet) -> bool:
        """Accept it as a connection's first packet, if one end is a service or server."""
        ends = self._oriented(side, packet)
        if ends is None:
            return False
        known = self.tables[side].of(packet.protocol).get(packet.ends)
        if known is not None:
            flow, forth = known
            if not forth or self._is_repeated(flow, packet):
                self._take(flow, forth, packet)
                return True
            self._used_again(flow, packet)
        flow = Flow(side, packet.protocol, ends, packet)
        self.tables[side].add(flow)
        self._enter(flow, packet)
        self._take(flow, packet.ends == ends, packet)
        if flow.begun and flow.protocol == "tcp":
            self._try(flow, patient=True)
        return True

    def _enter(self, flow: Flow, packet: Packet) -> None:
        """What a connection's first packet says, and whether it can be judged at all."""
        side, known = flow.side, flow.side == OUTER or flow.ends[0] in self.director.local
        self._leaks(side, packet)
        if side == OUTER:
            self._suspected(self.clients.add(flow))
        elif known and flow.syn is not None:
            self.book["local-port"].look()
        if flow.begun:
            self._joiner.add(flow)
            self._waiting.append(flow)
            return
        flow.held = None
        if known:
            self._misdirected(flow, packet)
            self.book.divided(side, flow.protocol, BEGAN_EARLIER, packet)

    def _misdirected(self, flow: Flow, packet: Packet) -> None:
        """An answer to a SYN of another local address or port."""
        if flow.side == OUTER or not packet.is_only(SYN | ACK):
            return
        for one in self.tables[INNER].flows():
            syn = one.syn
            if syn is None or one.answer is not None or one.ends[2:] != flow.ends[2:]:
                continue
            if packet.acknowledgement == (syn.sequence + 1) % SPACE:
                connection.reply_destination(self.book["reply-destination"], syn, packet)
                return

    def _oriented(self, side: int, packet: Packet) -> Ends | None:
        """The ends as the opener has them, if the packet is of concern."""
        ends = packet.ends
        back = (*ends[2:], *ends[:2])
        for one in (ends, back):
            if side == OUTER:
                if (packet.protocol, *one[2:]) in self.director.services:
                    return one
            elif one[2:] in self.director.servers:
                return one
        return None

    def _is_repeated(self, flow: Flow, packet: Packet) -> bool:
        """Whether a SYN is the connection's own again: the same number, for the same client."""
        series = self.director.series
        same = flow.side == OUTER or claimed(packet, series) == claimed(flow.first, series)
        return flow.same_opening(packet) and same

    def _used_again(self, flow: Flow, packet: Packet) -> None:
        """A new SYN between the same ends: the earlier connection must be over."""
        row = self.book["local-port"]
        if flow.side == INNER and packet.source in self.director.local:
            idle = packet.time - flow.last
            if flow.begun:
                connection.local_port(row, flow.first, packet, flow.ended, idle)
            elif not flow.ended:
                row.doubt("the earlier connection began before the capture did", packet, flow.first)
        self._close(flow, "")

    def _leaks(self, side: int, packet: Packet) -> bool:
        """Whether it has an address that must not be on its side."""
        director, book = self.director, self.book
        ends = {packet.source, packet.destination}
        if side == OUTER:
            found = bool(ends & director.hidden)
            if found:
                words = "no packet from or to a server or local address outside"
                connection.absent(book["no-inside-outside"], packet, director.hidden, words)
            return found
        if ends & director.virtual:
            words = "no packet from or to a virtual address inside"
            connection.absent(book["no-vip-inside"], packet, director.virtual, words)
            return True
        client = self.clients.among(packet)
        if client:
            self._suspected(packet)
        elif not ends & director.local:
            for address in ends:
                self.clients.suspect(packet, address)
        return bool(client)

    def _suspected(self, packet: Packet | None) -> None:
        """A packet on the inside that has a client's address."""
        if packet is not None:
            ends = frozenset({packet.source, packet.destination})
            words = "no packet from or to a client inside"
            connection.absent(self.book["no-client-inside"], packet, ends, words)

    def _concerns(self, side: int, packet: Packet) -> bool:
        """Fragments and others between the director's own ends."""
        if not packet.source:
            rows = ("no-inside-outside",) if side == OUTER else ("no-vip-inside",)
            for row in rows:
                self.book[row].doubt(f"its addresses cannot be read ({packet.sums.why})", packet)
            return True
        ends = {packet.source, packet.destination}
        if side == OUTER:
            return bool(ends & self.director.virtual)
        servers = {address for address, _ in self.director.servers}
        return bool(ends & servers) and bool(ends & self.director.local)

    def _try(self, flow: Flow, *, patient: bool) -> bool:
        """Join it, if its other half is known."""
        other, _ = self._joiner.partner(flow, patient=patient)
        if other is None:
            return False
        outer, inner = (flow, other) if flow.side == OUTER else (other, flow)
        self._joiner.remove(outer)
        self._joiner.remove(inner)
        if outer.syn is not None and inner.syn is not None:
            self.step.learn(outer.syn.time, inner.syn.time)
        pair = Pair(
            outer, inner, self.director, self.book, self.showing.watch(outer.ends, inner.ends)
        )
        for one in (outer, inner):
            one.pair = pair
            for packet in one.held or ():
                pair.take(one.side, packet.ends == one.ends, packet)
            one.held = None
        for one in (outer, inner):
            self.errors.joined(one)
        return True

    def _give_up(self, flow: Flow, why: str) -> None:
        """Its other half is unknown; it stays a rival of similar halves."""
        self._given_up.append(flow)
        flow.held = None
        self.errors.given_up(flow)
        if flow.side == INNER and flow.ends[0] not in self.director.local:
            self.book.strangers += 1  # such as health checks
            return
        if why in (BEGAN_EARLIER, ENDED_LATER):
            self.book.divided(flow.side, flow.protocol, why, flow.first)
        else:
            self.book.cannot_judge(flow.protocol, why, flow.first)

    def _close(self, flow: Flow, why: str) -> None:
        """Close a connection because it is over, or because the captures are."""
        self._drop(flow)
        if flow.pair is not None:
            pair = flow.pair
            self._part(pair, why)
            self._drop(pair.inner if flow is pair.outer else pair.outer)
        elif flow.held is not None and not self._try(flow, patient=False):
            _, reason = self._joiner.partner(flow, patient=False)
            self._give_up(flow, self._why_alone(flow, reason or ALONE))
        elif flow.pair is not None:
            self._close(flow, why)

    def _drop(self, flow: Flow) -> None:
        self.tables[flow.side].drop(flow)
        if flow.side == OUTER:
            self.clients.remove(flow)

    def _part(self, pair: Joined, why: str) -> None:
        """A connection has been judged; its halves stay known for repeated packets."""
        if why and not (pair.outer.ended and pair.inner.ended):
            if pair.outer.protocol == "tcp":
                self.book.straddling.setdefault(STILL_OPEN, [0, 0])[OUTER] += 1
            pair.close(why, self._excused)
        else:
            pair.close(why)
        for one in (pair.outer, pair.inner):
            one.pair = one.held = None

    def _excused(self, side: int, packet: Packet) -> bool:
        """Whether the other side's capture was over when its counterpart was due."""
        return not self.book.strict and self.step.place(1 - side, packet.time) > 0

    def _why_alone(self, flow: Flow, reason: str) -> str:
        side = 1 - flow.side
        if reason == ALONE and not self.step.covers(side, flow.first.time):
            name = "inside" if side else "outside"
            place = self.step.place(side, flow.first.time)
            if place:
                return BEGAN_EARLIER if place < 0 else ENDED_LATER
            return f"nothing was captured {name} at that time"
        return reason

    def _look(self) -> None:
        """Join halves that have waited long enough."""
        self._until_look = LOOK
        latest = self.step.latest
        while self._waiting:
            flow = self._waiting[0]
            if latest[flow.side] - flow.first.time <= PATIENCE:
                break
            self._waiting.popleft()
            if flow.pair is None and flow.held is not None:
                self._try(flow, patient=False)
        self._until_sweep -= 1
        if not self._until_sweep:
            self._sweep()

    def _sweep(self) -> None:
        """Forget finished connections, so that memory holds only open ones."""
        self._until_sweep = SWEEP
        self.book.most_open = max(self.book.most_open, *map(len, self.tables))
        latest = self.step.latest
        for side, table in enumerate(self.tables):
            for flow in table.flows():
                if flow.is_over(latest[side]) and self._may_close(flow):
                    self._close(flow, "")
                elif side == INNER and flow.pair is not None and flow.pair.is_done:
                    self._part(flow.pair, "")
        self.clients.sweep(latest[OUTER])
        while self._given_up:
            flow = self._given_up[0]
            if not flow.is_over(latest[flow.side]):
                break
            self._joiner.remove(self._given_up.popleft())

    def _may_close(self, flow: Flow) -> bool:
        """Whether the other half is over, too, or the other side has been read as far."""
        if flow.pair is not None:
            other = flow.pair.inner if flow.side == OUTER else flow.pair.outer
            return other.is_over(self.step.latest[other.side]) or self.step.ended[other.side]
        return self.step.ahead is not None or all(self.step.read)

    def _finish(self) -> None:
        book = self.book
        book.most_open = max(book.most_open, *map(len, self.tables))
        book["no-inside-outside"].look(book.packets[OUTER])
        for row in ("no-client-inside", "no-vip-inside"):
            book[row].look(book.packets[INNER])
        for table in self.tables:
            for flow in table.flows():
                if flow.pair is None and flow.held is not None:
                    self._try(flow, patient=False)
        for table in self.tables:
            for flow in table.flows():
                self._close(flow, ", before the captures ended")
        self.errors.close()
