"""A connection as one side's captures have it."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Protocol

from builder.lab.capture.packet import ACK, FIN, RST, SYN, Ends, Packet
from builder.lab.oracle.passage import Excused, nothing
from builder.lab.oracle.stream import SPACE

Sign = tuple[str, Hashable]
LINGER = 5.0
"""Seconds that a connection is kept behind its end: for repetitions, and for the other side."""
IDLE = 900.0
"""Seconds without a packet, after which IPVS forgets an established connection, too."""
UNANSWERED = 90.0
"""Seconds without a packet for one whose handshake is not whole."""


class Joined(Protocol):
    """A judged connection, made of two flows, one of each side."""

    outer: Flow
    inner: Flow

    def take(self, side: int, forth: bool, packet: Packet) -> None:
        """One more packet of either half."""

    def close(self, why: str, excused: Excused = nothing) -> None:
        """No more packets; ``why``: the reason for packets on one side only, unless ``excused``."""

    @property
    def is_done(self) -> bool:
        """Both halves are closed, and nothing waits for its counterpart."""


class Flow:
    """A connection on one side.

    ``ends``: of its first sender, as far as known.  ``begun``: its SYN was captured.  ``start``,
    ``start_back``: sequence numbers of the first bytes.  ``held``: packets that wait for the
    connection's other half; None if they are not kept.  ``signs``: what identifies it.  ``ended``:
    when both directions were closed, or it was reset.
    """

    __slots__ = (
        *("answer", "begun", "closed", "data", "ended", "ends", "first", "held", "last"),
        *("pair", "protocol", "side", "signs", "start", "start_back", "syn"),
    )

    def __init__(self, side: int, protocol: str, ends: Ends, first: Packet) -> None:
        self.side = side
        self.protocol = protocol
        self.ends = ends
        self.first = first
        self.begun = protocol == "udp" or first.is_only(SYN)
        self.syn: Packet | None = first if first.is_only(SYN) else None
        self.answer: Packet | None = None
        self.data: Packet | None = None
        self.start: int | None = None
        self.start_back: int | None = None
        self.held: list[Packet] | None = []
        self.pair: Joined | None = None
        self.signs: tuple[Sign, ...] = ()
        self.last = first.time
        self.closed = 0
        self.ended = 0.0

    def see(self, packet: Packet, forth: bool) -> None:
        """Update the connection's own state from a packet."""
        self.last = packet.time
        flags = packet.flags
        if flags & (SYN | FIN | RST) and self.protocol == "tcp":
            self._turn(packet, forth)
        if forth and packet.payload and self.data is None and self.held is not None:
            self.data = packet

    def _turn(self, packet: Packet, forth: bool) -> None:
        flags = packet.flags
        if flags & SYN and forth and not flags & ACK:
            self.start = (packet.sequence + 1) % SPACE
        elif flags & SYN and not forth and self.start_back is None:
            self.answer = packet
            self.start_back = (packet.sequence + 1) % SPACE
        elif flags & RST and not forth and flags & ACK and self.start_back is None:
            self.answer = packet  # the port is refused (RFC 9293, 3.10.7.1)
            self.start_back = packet.sequence
        if flags & RST:
            self.closed = 3
        elif flags & FIN:
            self.closed |= 1 if forth else 2
        if self.closed == 3 and not self.ended:
            self.ended = packet.time

    def settle(self) -> None:
        """The handshake has been judged: its packets are not needed any more."""
        self.answer = self.data = None

    @property
    def peer(self) -> tuple[str, int]:
        """Who opened it: the client outside, the local address inside."""
        return self.ends[:2]

    def is_over(self, now: float) -> bool:
        if self.ended:
            return now - self.ended > LINGER
        whole = self.protocol == "udp" or self.start_back is not None or not self.begun
        return now - self.last > (IDLE if whole else UNANSWERED)

    def same_opening(self, packet: Packet) -> bool:
        """Whether a SYN repeats this connection's own."""
        return self.syn is not None and self.syn.sequence == packet.sequence


class Table:
    """The connections of one side that are open, by both directions of their ends."""

    def __init__(self) -> None:
        self._tcp: dict[Ends, tuple[Flow, bool]] = {}
        self._udp: dict[Ends, tuple[Flow, bool]] = {}

    def of(self, protocol: str) -> dict[Ends, tuple[Flow, bool]]:
        return self._tcp if protocol == "tcp" else self._udp

    def add(self, flow: Flow) -> None:
        table = self.of(flow.protocol)
        table[flow.ends] = (flow, True)
        table[(*flow.ends[2:], *flow.ends[:2])] = (flow, False)

    def drop(self, flow: Flow) -> None:
        """Forget a connection, unless another one has its ends by now."""
        table = self.of(flow.protocol)
        for ends in (flow.ends, (*flow.ends[2:], *flow.ends[:2])):
            known = table.get(ends)
            if known is not None and known[0] is flow:
                del table[ends]

    def flows(self) -> Iterator[Flow]:
        """Each flow once; the table may change meanwhile."""
        for table in (self._tcp, self._udp):
            yield from [flow for flow, forth in table.values() if forth]

    def __len__(self) -> int:
        return (len(self._tcp) + len(self._udp)) // 2
