"""Rows about what the client got, what was counted, and the captures themselves."""

from __future__ import annotations

import itertools
from collections import Counter
from ipaddress import ip_address

from builder.lab.capture.packet import RST, Packet, endpoint
from builder.lab.oracle import connection
from builder.lab.oracle.evidence import Evidence
from builder.lab.oracle.judgement import Findings, Judgement, Row


def _answered(evidence: Evidence) -> Judgement:
    found = Findings()
    told = {answer.exchange: answer for answer in evidence.answers}
    for exchange in evidence.exchanges:
        answer = told.get(exchange.name)
        words = answer.words if answer is not None else "no answer was seen"
        service = endpoint(exchange.traffic.address, exchange.traffic.port)
        found.expect(
            answer is not None and answer.ok,
            f"{exchange.name} from port {exchange.port}: an answer from {service}; {words}",
        )
    return found.close(f"{len(evidence.answers)} exchanges", "the run has no traffic")


def _in_turn(evidence: Evidence) -> Judgement:
    """Servers answer one after the other, all of them, as round-robin scheduling requires."""
    found = Findings()
    servers = [answer.server for answer in evidence.answers]
    for before, after in itertools.pairwise(servers):
        found.expect(before != after, f"another server after {before}, got {after}")
    return found.close(" ".join(servers), "two exchanges or more")


def _counters(evidence: Evidence) -> Judgement:
    found = Findings()
    made = len({packet.ends for packet in evidence.openings})
    counted = evidence.counters.get("connections", 0)
    found.expect(counted >= made > 0, f"the director counts {made} connections, got {counted}")
    for name, value in evidence.counters.items():
        if "fail" in name and not name.startswith("synproxy"):
            found.expect(value == 0, f"{name} stays 0, got {value}")
    told = evidence.counters.get("fullnat_add_toa_ok")
    if told is not None:
        words = f"fullnat_add_toa_ok grows only with TOA, got {told}"
        some = any(one.traffic.protocol == "tcp" for one in evidence.exchanges)
        found.expect((told > 0) == (evidence.run.toa and some), words)
    shown = ", ".join(f"{name} {value}" for name, value in evidence.counters.items() if value)
    return found.close(shown, "counters of the director")


def _refused(evidence: Evidence) -> Judgement:
    """Nothing is answered, and nothing of it reaches a server."""
    found = Findings()
    told = {answer.exchange: answer for answer in evidence.answers}
    for exchange in evidence.exchanges:
        answer = told.get(exchange.name)
        words = f"no answer to {exchange.name}"
        found.expect(answer is not None and not answer.ok, words)
    for packet in evidence.openings:
        found.expect(False, "nothing on its way to a server", packet)
    _nothing_for_servers(evidence, found)
    return found.close(f"{len(evidence.answers)} exchanges", "the run has no traffic")


def _fails_counted(evidence: Evidence) -> Judgement:
    found = Findings()
    count = evidence.counters.get("fails")
    if count is not None:
        found.expect(count > 0, f"the director counts what it refused, got {count}")
    return found.close(f"fails {count}", "the director's counter of failures")


def _expiry_rst(evidence: Evidence) -> Judgement:
    """A connection that times out is reset at both of its ends."""
    found = Findings()
    services = {(one.address, one.port) for one in evidence.run.service}
    resets = [one for one in evidence.side("outer") if one.flags & RST]
    own = [one for one in resets if (one.source, one.source_port) in services]
    for opening in evidence.openings:
        inner = [one for one in evidence.side("inner") if one.ends == opening.ends]
        far = any(one.flags & RST for one in inner)
        found.expect(far, "a reset to the server", opening, inner[-1] if inner else None)
        found.expect(bool(own), "a reset to the client, from the virtual address", opening)
    return found.close("resets to client and server", "a connection to a server")


def _nothing_inside(evidence: Evidence) -> Judgement:
    """What the client sends to a service goes no further."""
    found = Findings()
    services = {(one.address, one.port) for one in evidence.run.service}
    sent = [one for one in evidence.side("outer") if (one.destination, one.port) in services]
    found.expect(bool(sent), "a packet to the service on the client's link")
    _nothing_for_servers(evidence, found)
    return found.close(f"{len(sent)} packets to the service", "a packet to the service")


def _nothing_for_servers(evidence: Evidence, found: Findings) -> None:
    """No packet to a server's port, and no later fragment of one, which has no port."""
    hosts = {address for address, _ in evidence.servers}
    for packet in evidence.side("inner"):
        if not packet.destination:
            found.doubt(f"its addresses cannot be read ({packet.sums.why})", packet)
            continue
        later = packet.piece is not None and packet.piece.offset > 0
        known = (packet.destination, packet.port) in evidence.servers
        known = known or (later and packet.destination in hosts)
        found.expect(not known, "no packet on its way to a server", packet)


MAX_OUTAGE = 15.0
"""Seconds.  VRRP with an interval of one second takes over after three to four of them; a
client's own SYN that falls into the gap is repeated after 1, 3 and 7 s (RFC 6298)."""


def _takes_over(evidence: Evidence) -> Judgement:
    """One director dies: there is a gap in what the client gets, and it ends."""
    found = Findings()
    link = next(name for name, one in evidence.topology.link.items() if one.side == "outer")
    services = {(one.address, one.port) for one in evidence.run.service}
    packets = evidence.witness(link)
    got = [one for one in packets if (one.source, one.source_port) in services]
    directors = {
        evidence.topology.mac(name, link): name for name in evidence.topology.with_role("director")
    }
    senders = [directors[one.mac] for one in got if one.mac in directors]
    found.expect(len(set(senders)) == 2, f"answers by both directors, got {set(senders)}")
    gap, before, after = max(
        ((b.time - a.time, a, b) for a, b in itertools.pairwise(got)),
        key=lambda one: one[0],
        default=(0.0, None, None),
    )
    found.expect(gap <= MAX_OUTAGE, f"an outage of {MAX_OUTAGE} s at most", before, after)
    lost = [
        one
        for one in packets
        if before is not None
        and after is not None
        and before.frame < one.frame < after.frame
        and (one.destination, one.port) in services
    ]
    told = [answer for answer in evidence.answers if not answer.ok]
    ends = evidence.answers[-3:]
    found.expect(all(answer.ok for answer in ends), "answers to the last three exchanges")
    seen = f"outage {gap:.2f} s, {len(lost)} packets without an answer, {len(told)} exchanges lost"
    return found.close(f"{seen} of {len(evidence.answers)}", "an answer")


def _ends_agree(evidence: Evidence) -> Judgement:
    """Every packet that one end of a link sent or got, the other end got or sent.

    Packets for nobody in particular (routing, VRRP) are left out: they continue after the run, so
    the last ones may be missing at one end.
    """
    found = Findings()
    for link in evidence.topology.link:
        places = [f"{host}-{link}" for host in evidence.topology.hosts_on(link)]
        for place in places:
            own = [one for one in evidence.captures[place] if not _for_many(one)]
            others = (one for one in places if one != place and own)
            for other in others:
                if not found.whole(*own, *evidence.whole[other]):
                    continue
                known = Counter(map(_identity, evidence.whole[other]))
                odd = tuple(one for one in own if not known[_identity(one)])
                found.expect(not odd, f"what {place} has at {other}, too", *odd[:6])
    return found.close("both ends of every link have the same packets", "a packet on some link")


def _for_many(packet: Packet) -> bool:
    return bool(packet.destination) and ip_address(packet.destination).is_multicast


def _identity(packet: Packet) -> tuple[object, ...]:
    return (
        packet.ends,
        packet.protocol,
        packet.sequence,
        packet.acknowledgement,
        packet.flags,
        packet.options,
        packet.payload,
        packet.piece,
        packet.vlans,
    )


def _checksums(evidence: Evidence) -> Judgement:
    found = Findings()
    beyond: set[str] = set()
    for packets in evidence.captures.values():
        for packet in packets:
            connection.checksums(found, packet, beyond)
    left_out = f"; not judged: {'; '.join(sorted(beyond))}" if beyond else ""
    return found.close(
        f"{found.looked} packets{left_out}", "a packet with a checksum in some capture"
    )


def _capture_whole(evidence: Evidence) -> Judgement:
    """Every packet was captured completely; a file that ends within a packet is refused earlier."""
    found = Findings()
    for packet in (one for packets in evidence.captures.values() for one in packets):
        if found.whole(packet):
            found.look()
    return found.close(f"{found.looked} packets", "a packet in some capture")


ROWS = (
    Row("answered", "every exchange of the client is answered", _answered),
    Row("in-turn", "the servers answer in turn", _in_turn),
    Row("counters", "the director counts the connections, and no failure", _counters),
    Row("refused", "no exchange is answered, and none reaches a server", _refused),
    Row("fails-counted", "the director counts what found no local port", _fails_counted),
    Row("expiry-rst", "a connection that expires is reset at both ends", _expiry_rst),
    Row("nothing-inside", "nothing that was sent reaches a server", _nothing_inside),
    Row("takes-over", "when one director dies, the other goes on serving", _takes_over),
    Row("ends-agree", "both ends of a link have captured the same", _ends_agree),
    Row("capture-whole", "captures are complete, and so is each packet in them", _capture_whole),
    Row("checksums", "every checksum is right after both translations", _checksums),
)
