"""Rows about local addresses and ports: who has them, and who has them next."""

from __future__ import annotations

from builder.lab.capture.packet import ACK, FIN, RST, Ends
from builder.lab.oracle import connection
from builder.lab.oracle.addresses import server_legs
from builder.lab.oracle.evidence import Evidence, Leg, legs_of
from builder.lab.oracle.judgement import Findings, Judgement, Row


def _local_port(evidence: Evidence) -> Judgement:
    """One local address and port serves one connection to a server at a time."""
    found = Findings()
    last: dict[Ends, Leg] = {}
    for link in evidence.next_to_director:
        for leg in legs_of(link, evidence.witness(link)):
            if leg.syn is None or leg.ends[2:] not in evidence.servers:
                continue
            found.look()
            earlier = last.get(leg.ends)
            last[leg.ends] = leg
            if earlier is not None:
                end, packet = earlier.packets[-1], leg.packets[0]
                over = end.time if _is_over(earlier) else 0.0
                idle = packet.time - end.time
                connection.local_port(found, earlier.packets[0], packet, over, idle)
    return found.close(f"{found.looked} connections", "a TCP connection to a server")


def _recycled(evidence: Evidence) -> Judgement:
    """Local ports of half-open connections, and of datagrams, are given to new clients."""
    found = Findings()
    last: dict[Ends, Leg] = {}
    for link in evidence.next_to_director:
        for leg in legs_of(link, evidence.witness(link)):
            fresh = leg.syn is not None or leg.packets[0].protocol == "udp"
            if not fresh or leg.ends[2:] not in evidence.servers:
                continue
            earlier = last.get(leg.ends)
            last[leg.ends] = leg
            if earlier is not None and _is_half_open(earlier):
                told = earlier.syn is None or any(one.flags & RST for one in earlier.there)
                words = "a reset to the server before its port's next user"
                found.expect(told, words, leg.packets[0], earlier.packets[0])
    none = "a local port with a second connection, after a half-open one"
    return found.close(f"ports taken from half-open connections: {found.looked}", none)


def _is_half_open(leg: Leg) -> bool:
    """Whether its client has sent nothing but a first packet."""
    return not any(one.flags & ACK and not one.flags & RST for one in leg.there)


def _kept_open(evidence: Evidence) -> Judgement:
    """Connections that are open when another local address comes into use carry data after that."""
    found = Findings()
    for leg in server_legs(evidence):
        begun, local = leg.packets[0].time, evidence.local_addresses - {leg.ends[0]}
        later = (one for one in evidence.openings if one.source in local and one.time > begun)
        first = next(later, None)
        before = [one for one in leg.packets if first is not None and one.time < first.time]
        if first is None or _is_over(Leg(leg.link, leg.ends, tuple(before))):
            continue
        for way, packets in (("to", leg.there), ("from", leg.back)):
            some = any(one.payload and one.time > first.time for one in packets)
            words = f"data {way} the server behind the first packet from {first.source}"
            found.expect(some, words, leg.packets[-1], first)
    none = "a connection that is open when another local address comes into use"
    return found.close(f"connections that went on: {found.looked // 2}", none)


def _is_over(leg: Leg) -> bool:
    """Whether it was reset, or closed both ways."""
    closed = [any(one.flags & FIN for one in way) for way in (leg.there, leg.back)]
    return all(closed) or any(one.flags & RST for one in leg.packets)


def _every_local(evidence: Evidence) -> Judgement:
    """Each local address is the source of some connection."""
    found = Findings()
    used = {packet.source for packet in evidence.openings}
    for address in sorted(evidence.local_addresses):
        found.expect(address in used, f"a connection from {address}", *evidence.openings[:2])
    return found.close(f"{', '.join(sorted(used))} are used", "a local address")


ROWS = (
    Row("local-port", "a local port is one connection's to a server at a time", _local_port),
    Row("recycled", "half-open connections lose their ports, and servers are told", _recycled),
    Row("kept-open", "open connections go on when local addresses change", _kept_open),
    Row("every-local", "every local address is used", _every_local),
)
