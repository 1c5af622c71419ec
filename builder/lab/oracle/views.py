"""The experiment's four views of a connection, and the connection packet by packet."""

from __future__ import annotations

from dataclasses import dataclass

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


def _outer_leg(evidence: Evidence, connection: Connection) -> Leg | None:
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
    outer, inner = _outer_leg(evidence, connection), _server_leg(evidence, connection)
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


SHOWN_STEPS = 12


def steps(evidence: Evidence, connection: Connection) -> tuple[Step, ...]:
    """The connection's packets on the client's link, each with its counterparts beyond.

    Of a long connection its beginning and its end are shown.
    """
    outer = _outer_leg(evidence, connection)
    if outer is None:
        return ()
    beyond = [leg for leg in connection.legs.values() if leg is not outer]
    used: set[tuple[str, int]] = set()
    found: list[Step] = []
    for packet in outer.packets:
        forth = packet.ends == outer.ends
        packets = [packet]
        for leg in beyond:
            match = _counterpart(packet, forth, outer, leg, used)
            if match is not None:
                used.add((match.place, match.frame))
                packets.append(match)
        found.append(Step(forth, tuple(packets if forth else reversed(packets))))
    if len(found) <= SHOWN_STEPS + 1:
        return tuple(found)
    head, tail = found[: SHOWN_STEPS - 4], found[-4:]
    left_out = len(found) - len(head) - len(tail)
    first, *rest = tail
    return (*head, Step(first.forth, first.packets, left_out), *rest)


def _counterpart(
    packet: Packet, forth: bool, outer: Leg, leg: Leg, used: set[tuple[str, int]]
) -> Packet | None:
    """The same packet on another link, whose numbers may be shifted."""
    wanted = _relative(packet, forth, outer)
    for other in leg.there if forth else leg.back:
        known = (other.place, other.frame) in used
        if not known and _relative(other, forth, leg) == wanted:
            return other
    return None


def _relative(packet: Packet, forth: bool, leg: Leg) -> tuple[object, ...]:
    if packet.protocol != "tcp":
        return (packet.payload,)
    mine, theirs = leg.request.start, leg.reply.start
    if not forth:
        mine, theirs = theirs, mine
    acked = (packet.acknowledgement - theirs) % SPACE if packet.acknowledgement else None
    return ((packet.sequence - mine) % SPACE, acked, packet.flags, packet.payload)
