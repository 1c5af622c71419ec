"""What a run left to judge: captures by link, joined connections, and the client's answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from builder.lab.capture.packet import SYN, Ends, Packet
from builder.lab.oracle.stream import Stream, assemble
from builder.lab.scenario.model import Run, Topology, Traffic
from builder.lab.series import Fullnat


@dataclass(frozen=True)
class ClientAnswer:
    """What the client says of one exchange.  ``words``: the server's own, or why it failed."""

    exchange: str
    ok: bool
    words: str

    @property
    def server(self) -> str:
        """Who answered."""
        return self.words.split(" ", 1)[0] if self.ok else ""


@dataclass(frozen=True)
class Exchange:
    """A requested exchange; its name is in its first bytes, on every link."""

    name: str
    traffic: Traffic
    port: int
    client: str


@dataclass(frozen=True)
class Leg:
    """A connection in one link's capture, with the ends of its first packet.

    ``there``: packets from its first sender, ``back``: those to it, each in the file's order.
    """

    link: str
    ends: Ends
    packets: tuple[Packet, ...]

    @cached_property
    def there(self) -> tuple[Packet, ...]:
        return tuple(one for one in self.packets if one.ends == self.ends)

    @cached_property
    def back(self) -> tuple[Packet, ...]:
        return tuple(one for one in self.packets if one.ends != self.ends)

    @cached_property
    def request(self) -> Stream:
        return assemble(self.there)

    @cached_property
    def reply(self) -> Stream:
        return assemble(self.back)

    @property
    def syn(self) -> Packet | None:
        return next((one for one in self.there if one.is_only(SYN)), None)

    @property
    def syn_ack(self) -> Packet | None:
        return next((one for one in self.back if one.flags & SYN), None)

    def mirrored(self) -> Leg:
        """The leg with the other end as first sender, since a capture may lack the first packet."""
        return Leg(self.link, (*self.ends[2:], *self.ends[:2]), self.packets)

    def content(self) -> bytes:
        """What its first sender said: a stream's bytes, or the datagrams'."""
        if self.packets[0].protocol == "tcp":
            return self.request.data
        return b"".join(one.payload for one in self.there)


@dataclass(frozen=True)
class Connection:
    """One exchange across the links.  ``legs``: by link; the first one is the client's."""

    exchange: Exchange
    legs: Mapping[str, Leg]


@dataclass(frozen=True)
class Evidence:
    """All that rows are judged by.

    ``captures``: packets of the run by ``HOST-LINK``; ``whole``: of all runs.
    ``counters``: what the director counted in this run, by name.
    """

    run: Run
    series: Fullnat
    topology: Topology
    exchanges: tuple[Exchange, ...]
    captures: Mapping[str, tuple[Packet, ...]]
    whole: Mapping[str, tuple[Packet, ...]]
    answers: tuple[ClientAnswer, ...]
    counters: Mapping[str, int]

    def witness(self, link: str) -> tuple[Packet, ...]:
        """What passed a link, seen by a host on it that is not the director, if there is one."""
        hosts = self.topology.hosts_on(link)
        best = next((one for one in hosts if self.topology.host[one].role != "director"), hosts[0])
        return self.captures[f"{best}-{link}"]

    def side(self, side: str) -> tuple[Packet, ...]:
        """All that passed the links on one side of the director."""
        return tuple(
            packet
            for name, link in self.topology.link.items()
            if link.side == side
            for packet in self.witness(name)
        )

    @property
    def next_to_director(self) -> tuple[str, ...]:
        """The inner links that the director itself is on."""
        return tuple(
            name
            for name, link in self.topology.link.items()
            if link.side == "inner"
            and any(
                self.topology.host[host].role == "director" for host in self.topology.hosts_on(name)
            )
        )

    @cached_property
    def connections(self) -> tuple[Connection, ...]:
        """The exchanges, each followed across all links by what its client said."""
        legs = {name: legs_of(name, self.witness(name)) for name in self.topology.link}
        return tuple(self._joined(exchange, legs) for exchange in self.exchanges)

    def _joined(self, exchange: Exchange, legs: Mapping[str, tuple[Leg, ...]]) -> Connection:
        """The exchange's leg on every link that has one.

        On the client's own link, the client's address and port identify an exchange without
        payload; beyond it, only the content does.
        """
        found: dict[str, Leg] = {}
        for link, candidates in legs.items():
            near = exchange.traffic.host in self.topology.hosts_on(link)
            for leg in (*candidates, *(one.mirrored() for one in candidates)):
                own = near and leg.ends[:2] == (exchange.client, exchange.port)
                said = leg.content().startswith(marks(exchange))
                if said or (own and not leg.content()):
                    found[link] = leg
                    break
        return Connection(exchange, found)

    @cached_property
    def openings(self) -> tuple[Packet, ...]:
        """First packets towards the run's servers on the inner links next to the director."""
        seen: set[Ends] = set()
        found: list[Packet] = []
        for link in self.next_to_director:
            for packet in self.witness(link):
                fresh = packet.protocol in ("udp", "fragment udp") or packet.is_only(SYN)
                known = (packet.destination, packet.port) in self.servers
                if known and fresh and packet.ends not in seen:
                    seen.add(packet.ends)
                    found.append(packet)
        return tuple(found)

    @cached_property
    def servers(self) -> frozenset[tuple[str, int]]:
        """Addresses and ports of the run's servers."""
        return frozenset(
            _split(server) for service in self.run.service for server in service.servers
        )

    @property
    def local_ports(self) -> tuple[int, int]:
        return self.run.local_ports or self.series.local_ports

    @property
    def local_addresses(self) -> frozenset[str]:
        return frozenset(local for service in self.run.service for local in service.local)


def _split(server: str) -> tuple[str, int]:
    address, _, port = server.rpartition(":")
    return address.strip("[]"), int(port)


def legs_of(link: str, packets: Iterable[Packet]) -> tuple[Leg, ...]:
    """A link's connections, in the order in which they began.

    Between the same ends, a SYN with another sequence number begins a new one, and so does a
    datagram behind an answer: with one-packet scheduling, a local port is then another client's.
    """
    running: dict[Ends, list[Packet]] = {}
    legs: list[tuple[Ends, list[Packet]]] = []
    for packet in packets:
        if packet.protocol not in ("tcp", "udp"):
            continue
        reverse = (packet.destination, packet.port, packet.source, packet.source_port)
        held = running.get(packet.ends) or running.get(reverse)
        if held is None or _begins_anew(packet, held):
            held = []
            running.pop(reverse, None)
            running[packet.ends] = held
            legs.append((packet.ends, held))
        held.append(packet)
    return tuple(Leg(link, ends, tuple(held)) for ends, held in legs)


def _begins_anew(packet: Packet, held: list[Packet]) -> bool:
    """Whether a packet is not of the connection ``held`` that has its ends."""
    if packet.protocol == "udp":
        return packet.ends == held[0].ends != held[-1].ends
    return packet.is_only(SYN) and held[0].sequence != packet.sequence


def marks(exchange: Exchange) -> tuple[bytes, ...]:
    """The possible first bytes of an exchange's client."""
    name = exchange.name.encode()
    return (b"POST /" + name + b" ", b"client " + name + b" ")
