"""Rows about who seems to talk to whom, on which link."""

from __future__ import annotations

from builder.lab.capture.packet import SYN, endpoint
from builder.lab.oracle import connection
from builder.lab.oracle.evidence import Evidence, Exchange, Leg
from builder.lab.oracle.judgement import Findings, Judgement, Row


def _outer_leg(evidence: Evidence, exchange: Exchange) -> Leg | None:
    """The exchange on the client's own link."""
    for joined in evidence.connections:
        if joined.exchange is exchange:
            for link, leg in joined.legs.items():
                if evidence.topology.link[link].side == "outer":
                    return leg
    return None


def _outer_tuple(evidence: Evidence) -> Judgement:
    found = Findings()
    for exchange in evidence.exchanges:
        traffic = exchange.traffic
        wanted = (exchange.client, exchange.port, traffic.address, traffic.port)
        leg = _outer_leg(evidence, exchange)
        words = (
            f"{endpoint(*wanted[:2])} > {endpoint(*wanted[2:])} on the client's link, "
            f"for {exchange.name}"
        )
        first = leg.packets[0] if leg is not None else None
        found.expect(leg is not None and leg.ends == wanted, words, first)
    return found.close(f"{len(evidence.exchanges)} first packets", "an exchange")


def _inner_source(evidence: Evidence) -> Judgement:
    """Every connection that reaches the servers comes from a local address and port."""
    found = Findings()
    for packet in evidence.openings:
        connection.inner_source(found, packet, evidence.local_addresses, evidence.local_ports)
    ports = ", ".join(endpoint(one.source, one.source_port) for one in evidence.openings[:6])
    return found.close(f"sources {ports}", "a first packet from the director to a server")


def _icmp_through(evidence: Evidence) -> Judgement:
    """Errors about local:port > server:port reach the client, about client:port > VIP:port."""
    found = Findings()
    clients = _clients(evidence)
    found.whole(*(one for one in evidence.side("inner") if one.icmp))
    inside = [one for one in evidence.side("inner") if one.quoted is not None]
    outside = [one for one in evidence.side("outer") if one.quoted is not None]
    pairs = {
        (leg.ends, outer.ends)
        for joined in evidence.connections
        for leg in joined.legs.values()
        if leg.link in evidence.next_to_director
        if (outer := _outer_leg(evidence, joined.exchange)) is not None
    }
    for packet in inside:
        wanted = {outer for inner, outer in pairs if inner == packet.quoted}
        answers = [one for one in outside if one.quoted in wanted and one.destination in clients]
        same = any(one.icmp == packet.icmp for one in answers)
        found.expect(same, "the same error at the client, about its own packet", packet, *answers)
    kinds = ", ".join(sorted({one.icmp for one in inside}))
    return found.close(f"{len(inside)} errors ({kinds})", "an ICMP error on an inner link")


def _reply_destination(evidence: Evidence) -> Judgement:
    found = Findings()
    for leg in server_legs(evidence):
        opening = leg.packets[0]
        answer = next((one for one in leg.back if one.protocol == "udp" or one.flags & SYN), None)
        connection.reply_destination(found, opening, answer)
    return found.close("every first answer", "a connection on the director's inner link")


def server_legs(evidence: Evidence) -> tuple[Leg, ...]:
    """The exchanges as they are next to the director, on its inner side."""
    return tuple(
        leg
        for joined in evidence.connections
        for link, leg in joined.legs.items()
        if link in evidence.next_to_director
    )


def _outer_reply(evidence: Evidence) -> Judgement:
    """The answer seems to come from the virtual service, and acknowledges what was sent."""
    found = Findings()
    for exchange in evidence.exchanges:
        leg = _outer_leg(evidence, exchange)
        if leg is None:
            continue
        answers = tuple(filter(connection.is_answer, leg.back))
        connection.outer_reply(found, leg.ends, leg.syn, answers, leg.packets[0])
    return found.close("every first answer", "an answer on the client's link")


def _absent(evidence: Evidence, side: str, addresses: frozenset[str], words: str) -> Judgement:
    found = Findings()
    for packet in evidence.side(side):
        connection.absent(found, packet, addresses, words)
    return found.close(f"{len(evidence.side(side))} packets", f"a packet on an {side} link")


def _clients(evidence: Evidence) -> frozenset[str]:
    topology = evidence.topology
    return frozenset(
        address
        for name in topology.with_role("client")
        for address in topology.host[name].addresses
    )


def _no_client_inside(evidence: Evidence) -> Judgement:
    clients = _clients(evidence)
    words = f"no packet from or to the client ({', '.join(sorted(clients))}) on an inner link"
    return _absent(evidence, "inner", clients, words)


def _no_vip_inside(evidence: Evidence) -> Judgement:
    virtual = frozenset(service.address for service in evidence.run.service)
    words = f"no packet from or to a virtual address ({', '.join(sorted(virtual))}) inside"
    return _absent(evidence, "inner", virtual, words)


def _no_inside_outside(evidence: Evidence) -> Judgement:
    topology = evidence.topology
    servers = frozenset(
        address
        for name in topology.with_role("server")
        for address in topology.host[name].addresses
    )
    hidden = servers | evidence.local_addresses
    words = f"no packet from or to a server or local address ({', '.join(sorted(hidden))}) outside"
    return _absent(evidence, "outer", hidden, words)


def _client_inside(evidence: Evidence) -> Judgement:
    """Without FULLNAT: the server sees the client itself."""
    found = Findings()
    clients = _clients(evidence)
    for packet in evidence.openings:
        words = f"the client ({', '.join(sorted(clients))}) as the source"
        found.expect(packet.source in clients, words, packet)
    return found.close("every first packet", "a first packet from the director to a server")


def _director_source(evidence: Evidence) -> Judgement:
    """With conntrack's source NAT: the source is the address of the outgoing card."""
    found = Findings()
    topology = evidence.topology
    own: set[str] = set()
    for name in topology.with_role("director"):
        own.update(topology.host[name].addresses)
    for packet in evidence.openings:
        found.expect(packet.source in own, f"an address of the director ({sorted(own)})", packet)
    return found.close("every first packet", "a first packet from the director to a server")


def _untranslated(evidence: Evidence) -> Judgement:
    """Direct routing: the packet is the client's own on every link."""
    found = Findings()
    for joined in evidence.connections:
        outer = _outer_leg(evidence, joined.exchange)
        for link, leg in joined.legs.items():
            if outer is not None and link in evidence.next_to_director:
                words = f"{endpoint(*outer.ends[:2])} > {endpoint(*outer.ends[2:])} inside, too"
                found.expect(leg.ends == outer.ends, words, leg.packets[0])
    return found.close("every connection", "a connection on the director's inner link")


def _direct_return(evidence: Evidence) -> Judgement:
    """The packets that the client gets were not sent by the director."""
    found = Findings()
    topology = evidence.topology
    for exchange in evidence.exchanges:
        leg = _outer_leg(evidence, exchange)
        if leg is None:
            continue
        own = {topology.mac(name, leg.link) for name in topology.with_role("director")}
        for packet in leg.back:
            found.expect(packet.mac not in own, "an answer that another host sent", packet)
    return found.close("every packet to the client", "an answer on the client's link")


def _tunnelled(evidence: Evidence) -> Judgement:
    """The director forwards packets unchanged, inside packets to a server."""
    found = Findings()
    topology = evidence.topology
    servers = {
        one for name in topology.with_role("server") for one in topology.host[name].addresses
    }
    carried = [
        packet
        for link in evidence.next_to_director
        for packet in evidence.witness(link)
        if packet.inner is not None
    ]
    for exchange in evidence.exchanges:
        leg = _outer_leg(evidence, exchange)
        wanted = leg.ends if leg is not None else None
        own = [one for one in carried if one.inner is not None and one.inner.ends == wanted]
        right = [one for one in own if one.destination in servers]
        words = f"{exchange.name} inside packets to a server"
        found.expect(bool(own) and right == own, words, *own[:1])
    return found.close(f"{len(carried)} packets carry others", "an exchange")


ROWS = (
    Row("untranslated", "the director leaves addresses as they are", _untranslated),
    Row("direct-return", "answers do not pass the director", _direct_return),
    Row("tunnelled", "requests reach the servers inside IP packets", _tunnelled),
    Row("outer-tuple", "client:port > VIP:port on the client's link", _outer_tuple),
    Row("inner-source", "a local address and port is the source towards servers", _inner_source),
    Row("reply-destination", "servers answer to that local address and port", _reply_destination),
    Row("outer-reply", "VIP:port > client:port answers, for the client's number", _outer_reply),
    Row("icmp-through", "ICMP errors from inside reach the client, translated", _icmp_through),
    Row("no-client-inside", "the client's address is on no inner link", _no_client_inside),
    Row("no-vip-inside", "the virtual address is on no inner link", _no_vip_inside),
    Row("no-inside-outside", "no server's or local address is outside", _no_inside_outside),
    Row("client-inside", "servers see the client's address", _client_inside),
    Row("director-source", "an address of the director is the source inside", _director_source),
)
