"""The experiment's four views of a connection, and the connection packet by packet."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from builder.lab.capture.packet import SYN, Packet, endpoint
from builder.lab.oracle.evidence import Connection, Evidence, Leg
from builder.lab.oracle.stream import SPACE
from builder.lab.verdict import View


def shown_connection(evidence: Evidence) -> Connection | None:
    """One that went through, to the first server of the topology if there is one (the
    experiment's example is a request to web1)."""
    whole = [one for one in evidence.connections if _server_leg(evidence, one) is not None]
    servers = evidence.topology.with_role("server")

    def rank(connection: Connection) -> int:
        leg = _server_leg(evidence, connection)
        owner = evidence.topology.owner(leg.ends[2]) if leg is not None else ""
        return servers.index(owner) if owner in servers else len(servers)

    return min(whole, key=rank, default=None)


def outer_leg(evidence: Evidence, connection: Connection) -> Leg | None:
    return next(
        (
            leg
            for link, leg in connection.legs.items()
            if evidence.topology.link[link].side == "outer"
        ),
        None,
    )


def _server_leg(evidence: Evidence, connection: Connection) -> Leg | None:
    """The leg on the link of the server itself: the last one that the connection passes."""
    inner = [
        leg for link, leg in connection.legs.items() if evidence.topology.link[link].side == "inner"
    ]
    servers = evidence.topology.with_role("server")
    on_server = (
        leg
        for leg in inner
        if any(name in servers for name in evidence.topology.hosts_on(leg.link))
    )
    return next(on_server, inner[-1] if inner else None)


def four(evidence: Evidence) -> tuple[View, ...]:
    """(1) client to VIP, (2) director to server, (3) server to director, (4) VIP to client."""
    connection = None if evidence.run.control else shown_connection(evidence)
    if connection is None:
        return ()
    outer, inner = outer_leg(evidence, connection), _server_leg(evidence, connection)
    if outer is None or inner is None:
        return ()
    owner = evidence.topology.owner(inner.ends[2])
    server = owner if owner in evidence.topology.with_role("server") else "server"
    wanted = (
        ("client to VIP", outer.there[:1]),
        (f"director to {server}", inner.there[:1]),
        (f"{server} to director", _first_answer(inner)),
        ("VIP to client", _first_answer(outer)),
    )
    return tuple(
        View(title, one.place, one.frame, _ends(one)) for title, found in wanted for one in found
    )


def _first_answer(leg: Leg) -> tuple[Packet, ...]:
    return tuple(one for one in leg.back if one.protocol == "udp" or one.flags & SYN)[:1]


def _ends(packet: Packet) -> str:
    return f"{endpoint(*packet.ends[:2])} > {endpoint(*packet.ends[2:])}"


@dataclass(frozen=True)
class Step:
    """One packet on its way: as each link has it, in the order in which it passes them.

    ``forth``: from the client.  ``skipped``: packets of the connection that are left out
    before this one.
    """

    forth: bool
    packets: tuple[Packet, ...]
    skipped: int = 0


Place = tuple[str, int]
"""A packet's capture and frame."""
SHOWN_STEPS = 12
TAIL = 4
AROUND = 2
"""Steps that are shown before and behind one that is wanted."""
MOST_WANTED = 6


def place_of(packet: Packet) -> Place:
    return (packet.place, packet.frame)


@dataclass(eq=False)
class _Passage:
    """A packet as the links have it; ``key``: what its counterparts on other links share."""

    key: tuple[object, ...]
    forth: bool
    packets: list[Packet] = field(default_factory=list)


def steps(
    evidence: Evidence, connection: Connection, wanted: frozenset[Place] = frozenset()
) -> tuple[Step, ...]:
    """The connection's packets, each as the links have it from the client's on.

    A packet that only later links have comes after the packet that preceded it there.  A long
    connection is shown with its beginning, its end, and the steps around the packets ``wanted``.
    """
    outer = outer_leg(evidence, connection)
    legs = sorted(connection.legs.values(), key=lambda leg: leg is not outer)
    passages: list[_Passage] = []
    for leg in legs:
        _follow(leg, passages)
    found = [
        Step(one.forth, tuple(one.packets if one.forth else reversed(one.packets)))
        for one in passages
    ]
    return tuple(_shortened(found, wanted))


def _follow(leg: Leg, passages: list[_Passage]) -> None:
    """Add a leg's packets to their passages; those that have none begin one, in their place."""
    known: dict[tuple[object, ...], list[_Passage]] = {}
    for one in passages:
        known.setdefault(one.key, []).append(one)
    at = -1
    for packet in leg.packets:
        forth = packet.ends == leg.ends
        key = (forth, *_relative(packet, forth, leg))
        same = known.get(key)
        if same:
            at = passages.index(same.pop(0))
        else:
            at += 1
            passages.insert(at, _Passage(key, forth))
        passages[at].packets.append(packet)


def _shortened(found: list[Step], wanted: frozenset[Place]) -> Iterator[Step]:
    if len(found) <= SHOWN_STEPS + 1:
        yield from found
        return
    chosen = set(range(SHOWN_STEPS - TAIL)) | set(range(len(found) - TAIL, len(found)))
    marked = [at for at, one in enumerate(found) if wanted & set(map(place_of, one.packets))]
    for at in marked[:MOST_WANTED]:
        chosen |= set(range(max(at - AROUND, 0), min(at + AROUND + 1, len(found))))
    last = -1
    for at in sorted(chosen):
        yield Step(found[at].forth, found[at].packets, at - last - 1)
        last = at


def _relative(packet: Packet, forth: bool, leg: Leg) -> tuple[object, ...]:
    if packet.protocol != "tcp":
        return (packet.payload,)
    mine, theirs = leg.request.start, leg.reply.start
    if not forth:
        mine, theirs = theirs, mine
    acked = (packet.acknowledgement - theirs) % SPACE if packet.acknowledgement else None
    return ((packet.sequence - mine) % SPACE, acked, packet.flags, packet.payload)
