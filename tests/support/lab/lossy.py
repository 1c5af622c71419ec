"""Hand-made captures of scenario ``loss``: lost segments, and some that are repeated for nothing.

The router loses segments between the links ``inner`` and the server's; servers acknowledge each
segment that comes, with SACK blocks behind holes (RFC 2018) and the block of a repetition in front
(D-SACK, RFC 2883).  A busy machine's sender repeats what was not lost: its clock ran on meanwhile.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import msgspec

from builder.lab import catalogue
from builder.lab.oracle.evidence import ClientAnswer, Exchange
from builder.lab.scenario.model import Run
from tests.support.lab import wire as hand
from tests.support.lab.wire import ACK, FIN, PSH, SYN, TIMESTAMP, Wire

SEGMENT = 300
SEGMENTS = 14


@dataclass
class Receiver:
    """What a server has, and what it says of it.  Numbers are distances in the stream."""

    edge: int = 0
    beyond: list[tuple[int, int]] = field(default_factory=list)

    def take(self, low: int, high: int) -> tuple[tuple[int, int], ...]:
        """A segment came: the blocks of the answer's SACK option, D-SACK's first."""
        known = high <= self.edge or any(a <= low and high <= b for a, b in self.beyond)
        twice = ((low, high),) if known else ()
        if not known:
            self.beyond.append((low, high))
        merged: list[tuple[int, int]] = []
        for one in sorted(self.beyond):
            if merged and one[0] <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(merged[-1][1], one[1]))
            else:
                merged.append(one)
        while merged and merged[0][0] <= self.edge:
            self.edge = max(self.edge, merged.pop(0)[1])
        self.beyond = merged
        return (*twice, *(one for one in reversed(merged)))[:3]


def captured(name: str, chance: random.Random, *, lost: int, repeated: int) -> tuple[Run, Wire]:
    """Run ``name`` of the scenario: ``lost`` and ``repeated`` segments of each connection."""
    scenario, topology = catalogue.load("loss")
    run = next(one for one in scenario.run if one.name == name)
    traffic = msgspec.structs.replace(run.traffic[0], count=2)
    run = msgspec.structs.replace(run, traffic=(traffic,))
    wire = Wire(topology, {link: [] for link in topology.link})
    for number, server in enumerate(("web1", "web2")):
        exchange = Exchange(f"{name}/{number + 1}", traffic, hand.CLIENT[1] + number, "10.0.1.2")
        _Talk(wire, exchange, server, number).run(chance, lost, repeated)
    return run, wire


class _Talk:
    """One connection, segment by segment."""

    def __init__(self, wire: Wire, exchange: Exchange, server: str, number: int) -> None:
        self.wire, self.exchange, self.server = wire, exchange, server
        self.client = (hand.CLIENT[0], exchange.port)
        self.local = (hand.LOCAL[0], hand.LOCAL[1] + number)
        head = f"POST /{exchange.name} HTTP/1.0\r\n\r\n".encode()
        self.request = head + bytes(range(256)) * (SEGMENT * SEGMENTS // 256)
        words = f"{server} sees {self.local[0]} port {self.local[1]}"
        self.page = f"HTTP/1.0 200 OK\r\n\r\n{words}\n".encode() * 9
        wire.exchanges.append(exchange)
        wire.answers.append(ClientAnswer(exchange.name, True, words))

    def run(self, chance: random.Random, lost: int, repeated: int) -> None:
        first, answer = hand.ISN + 1, hand.SERVER_ISN + 1
        mss = b"\x02\x04" + (1452).to_bytes(2, "big")
        toa = hand.toa(self.client)
        self._forth(SYN, hand.ISN, 0, b"", hand.MSS + TIMESTAMP, toa)
        self._back(SYN | ACK, hand.SERVER_ISN, first, b"", mss + TIMESTAMP, hand.MSS + TIMESTAMP)
        self._forth(ACK, first, answer, b"", TIMESTAMP, toa)
        self._send(chance, lost, repeated)
        end, last = first + len(self.request), answer + len(self.page)
        self._back(ACK | PSH, answer, end, self.page, TIMESTAMP)
        self._forth(ACK | FIN, end, last, b"", TIMESTAMP)
        self._back(ACK | FIN, last, end + 1, b"", TIMESTAMP)
        self._forth(ACK, end + 1, last + 1, b"", TIMESTAMP)

    def _send(self, chance: random.Random, lost: int, repeated: int) -> None:
        """All segments; those that get lost once more behind them, others for nothing."""
        starts = range(0, len(self.request), SEGMENT)
        # what is lost behind all others leaves no hole that anybody could see
        gone = set(chance.sample(starts[:-1], lost))
        twice = chance.sample([one for one in starts if one not in gone], repeated)
        order = [(at, at not in gone) for at in starts]
        order += [(at, True) for at in sorted(gone)]
        for at in twice:
            place = chance.randrange(order.index((at, True)) + 1, len(order) + 1)
            order.insert(place, (at, True))
        server, seen = Receiver(), set[int]()
        for at, arrives in order:
            data = self.request[at : at + SEGMENT]
            toa = hand.toa(self.client) if at == 0 and at not in seen else b""
            seen.add(at)
            sequence = hand.ISN + 1 + at
            self._forth(ACK, sequence, hand.SERVER_ISN + 1, data, TIMESTAMP, toa, arrives=arrives)
            if arrives:
                self._acknowledge(server, server.take(at, at + len(data)))

    def _acknowledge(self, server: Receiver, blocks: tuple[tuple[int, int], ...]) -> None:
        edges = b"".join(
            (hand.ISN + 1 + edge).to_bytes(4, "big") for block in blocks for edge in block
        )
        sack = bytes((1, 1, 5, 2 + len(edges))) + edges if edges else b""
        self._back(ACK, hand.SERVER_ISN + 1, hand.ISN + 1 + server.edge, b"", TIMESTAMP + sack)

    def _forth(
        self, flags: int, seq: int, ack: int, data: bytes, options: bytes,
        toa: bytes = b"", *, arrives: bool = True,
    ) -> None:  # fmt: skip
        far = hand.SERVERS[self.server]
        outer = hand.segment(self.client, hand.VIP, flags, seq, ack, data, options)
        self.wire.frames["outer"].append(outer)
        for link in ("inner", self.server) if arrives else ("inner",):
            inner = hand.segment(self.local, far, flags, seq, ack, data, toa + options)
            self.wire.frames[link].append(inner)

    def _back(
        self, flags: int, seq: int, ack: int, data: bytes, options: bytes, inner: bytes = b""
    ) -> None:
        far = hand.SERVERS[self.server]
        for link in (self.server, "inner"):
            one = hand.segment(far, self.local, flags, seq, ack, data, inner or options)
            self.wire.frames[link].append(one)
        outer = hand.segment(hand.VIP, self.client, flags, seq, ack, data, options)
        self.wire.frames["outer"].append(outer)
