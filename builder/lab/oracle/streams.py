"""Rows about whole connections: numbers, bytes, and that nothing of them is missing."""

from __future__ import annotations

import itertools
from collections import Counter

from builder.lab.capture.packet import ACK, OPT_SACK, SYN, Packet
from builder.lab.oracle import connection
from builder.lab.oracle.evidence import Evidence, Leg
from builder.lab.oracle.judgement import Findings, Judgement, Row
from builder.lab.oracle.options import NO_TCP, pairs
from builder.lab.oracle.passage import INNER, OUTER, Books, Passage, edges
from builder.lab.oracle.stream import SPACE, behind_holes, distance


def _sequence(evidence: Evidence) -> Judgement:
    found = Findings()
    for _, outer, inner in pairs(evidence):
        connection.sequence(found, evidence.series, outer.syn, inner.syn)
    return found.close(f"initial numbers are {evidence.series.sequence}", NO_TCP)


def _sequence_delta(evidence: Evidence) -> Judgement:
    """After the first SYN, every number differs from its counterpart by the same amount."""
    found = Findings()
    shown: set[int] = set()
    for _, outer, inner in pairs(evidence):
        starts = tuple((leg.request.start, leg.reply.start) for leg in (outer, inner))
        shown |= set(connection.deltas(*starts))
        if not found.whole(*outer.packets, *inner.packets):
            continue
        firsts = outer.packets[0], inner.packets[0]
        connection.unshifted(found, evidence.series, connection.deltas(*starts), *firsts)
        books = Books(found, Findings(), Findings(), Findings(), lossless=True)
        passage = Passage(books, (starts[0], starts[1]))
        for side, leg in ((OUTER, outer), (INNER, inner)):
            for packet in leg.packets:
                passage.take(side, packet.ends == leg.ends, packet)
        passage.close()
    return found.close(f"shifted by {', '.join(map(str, sorted(shown)))}", NO_TCP)


def _ttl(evidence: Evidence) -> Judgement:
    """Routers and directors decrease it, and nobody increases it (RFC 791, 3.2)."""
    found = Findings()
    for _, outer, inner in pairs(evidence):
        books = Books(Findings(), Findings(), Findings(), found, lossless=True)
        starts = (
            (outer.request.start, outer.reply.start),
            (inner.request.start, inner.reply.start),
        )
        passage = Passage(books, starts)
        for side, leg in ((OUTER, outer), (INNER, inner)):
            for packet in leg.packets:
                passage.take(side, packet.ends == leg.ends, packet)
    return found.close(f"{found.looked} packets", NO_TCP)


def _way(evidence: Evidence, legs: dict[str, Leg]) -> tuple[str, ...]:
    """Links that a connection must be on: next to the director, and the server's own."""
    inner = next((leg for link, leg in legs.items() if link in evidence.next_to_director), None)
    links = list(evidence.next_to_director)
    links += [name for name, link in evidence.topology.link.items() if link.side == "outer"]
    if inner is not None:
        server = evidence.topology.owner(inner.ends[2])
        links += [
            card.link
            for card in (evidence.topology.host[server].interface if server else ())
            if card.link not in links
        ]
    return tuple(links)


def _payload(evidence: Evidence) -> Judgement:
    found = Findings()
    total = 0
    for joined in evidence.connections:
        legs = dict(joined.legs)
        tcp = joined.exchange.traffic.protocol == "tcp"
        outer = next(
            (leg for link, leg in legs.items() if evidence.topology.link[link].side == "outer"),
            None,
        )
        for link in _way(evidence, legs):
            leg = legs.get(link)
            words = f"{joined.exchange.name} on link {link}, with the bytes that were sent"
            if leg is None or outer is None:
                found.expect(False, words)
                continue
            if not found.whole(*leg.packets, *outer.packets):
                continue
            if not tcp:
                said = [one.payload for one in outer.there], [one.payload for one in outer.back]
                got = [one.payload for one in leg.there], [one.payload for one in leg.back]
                found.expect(said == got, words, *leg.packets[:4])
                total += sum(map(len, itertools.chain(*got)))
                continue
            total += len(leg.request.data) + len(leg.reply.data)
            for mine, first, packets in (
                (leg.request, outer.request, leg.there),
                (leg.reply, outer.reply, leg.back),
            ):
                whole = not mine.gap and not mine.torn and mine.data == first.data
                found.expect(whole, words, *_where(mine.data, first.data, mine.start, packets))
    return found.close(f"{total} bytes on all links", "an exchange")


def _in_fragments(evidence: Evidence) -> Judgement:
    """Every datagram, there and back, on every link of its way."""
    found = Findings()
    counts: set[int] = set()
    for joined in evidence.connections:
        legs = dict(joined.legs)
        for link in _way(evidence, legs):
            leg = legs.get(link)
            name = f"{joined.exchange.name} on link {link}"
            for way, packets in (("there", leg.there), ("back", leg.back)) if leg else ():
                whole = tuple(one for one in packets if not one.frames)
                counts |= {len(one.frames) for one in packets}
                held = bool(packets) and not whole
                found.expect(held, f"{name}, {way}, in fragments that are whole", *whole[:3])
            found.expect(leg is not None, f"{name}, in fragments that are whole")
    return found.close(f"in {', '.join(map(str, sorted(counts)))} fragments", "an exchange")


def _where(got: bytes, sent: bytes, start: int, packets: tuple[Packet, ...]) -> tuple[Packet, ...]:
    """The packets with the first byte that differs from the sent one."""
    common = next(
        (index for index, (a, b) in enumerate(zip(got, sent, strict=False)) if a != b),
        min(len(got), len(sent)),
    )
    place = (start + common) % SPACE
    return tuple(
        one for one in packets if 0 <= (place - one.sequence) % SPACE < max(len(one.payload), 1)
    )[:3]


def _first_packet(evidence: Evidence) -> Judgement:
    """A capture that begins after the first packet has lost the proof."""
    found = Findings()
    for joined in evidence.connections:
        for link, leg in joined.legs.items():
            words = f"{joined.exchange.name} begins with a SYN on link {link}"
            connection.first_packet(found, words, leg.packets[0])
    return found.close("every connection begins with its SYN on every link", NO_TCP)


def _same_server(evidence: Evidence) -> Judgement:
    """The server that claims to have answered is the one that the director chose."""
    found = Findings()
    told = {answer.exchange: answer for answer in evidence.answers}
    for joined in evidence.connections:
        answer = told.get(joined.exchange.name)
        if answer is None or not answer.ok:
            continue
        reached = [leg for link, leg in joined.legs.items() if link in evidence.next_to_director]
        found.expect(
            bool(reached)
            and all(evidence.topology.owner(leg.ends[2]) == answer.server for leg in reached),
            f"{joined.exchange.name} at {answer.server}, whose page the client got",
            *(leg.packets[0] for leg in reached),
        )
    return found.close("every answered exchange", "an answered exchange")


def _holes(evidence: Evidence) -> Judgement:
    """Bytes for a server were lost on the way, judged by the streams and not by servers' reports.

    A busy machine's sender may repeat a segment needlessly, which opens no hole.
    """
    found = Findings()
    for joined, _, inner in pairs(evidence):
        server = evidence.topology.owner(inner.ends[2])
        own = [one for link, one in joined.legs.items() if _is_on(evidence, server, link)]
        if not own:
            words = f"{joined.exchange.name} on the link of its server"
            found.expect(False, words, inner.packets[0])
        for leg in own:
            for packet in behind_holes(leg.there, leg.request.start):
                found.expect(not leg.request.gap, "the bytes in front of it, sent again", packet)
    return found.close(f"{found.looked} segments behind a hole", "a hole in a stream to a server")


def _is_on(evidence: Evidence, host: str, link: str) -> bool:
    return host in evidence.topology.hosts_on(link)


def _reports_hole(packet: Packet, start: int) -> bool:
    """Whether a SACK option has a block after a hole (RFC 2018, 3).

    Its first block may report a repetition instead (D-SACK: RFC 2883, 4).  That block is before the
    acknowledged number, or within a second block that is after the hole.
    """
    numbers = edges(packet.option(OPT_SACK) or b"", start)
    return len(numbers) > 2 or numbers[1:2] > (distance(packet.acknowledgement, start),)


def _edges(leg: Leg) -> Counter[tuple[int, ...]]:
    """The SACK options on the way back, as distances in the client's stream."""
    found: Counter[tuple[int, ...]] = Counter()
    for packet in leg.back:
        value = packet.option(OPT_SACK)
        if value is not None:
            found[edges(value, leg.request.start)] += 1
    return found


def _sack(evidence: Evidence) -> Judgement:
    """The bytes that a server reports as received are those that the client sent.

    If no option reports a hole, there is nothing to prove: a busy machine's sender repeats segments
    needlessly, and servers report these, too.
    """
    found = Findings()
    total = holes = unknown = 0
    for _, outer, inner in pairs(evidence):
        if not found.whole(*outer.packets, *inner.packets):
            unknown += 1
            continue
        near, far = _edges(outer), _edges(inner)
        holes += sum(_reports_hole(one, inner.request.start) for one in inner.back)
        sent = len(inner.request.data) + 1  # a FIN takes a number, too
        for option in far:
            total += 1
            reporters = [one for one in outer.back if one.option(OPT_SACK) is not None]
            words = f"a SACK of bytes {option} at the client, too"
            found.expect(near[option] == far[option], words, *reporters[:2])
            inside = all(-sent <= edge <= sent for edge in option)
            found.expect(inside, f"edges within the {sent} bytes that were sent", *reporters[:2])
    none = "a SACK option from a server that reports a hole"
    if not holes and not unknown:
        found.expect(False, none)
    return found.close(f"{total} different SACK options, {holes} report a hole", none)


def _handshake_first(evidence: Evidence) -> Judgement:
    """By the director's own clock, which both of its captures have."""
    found = Findings()
    director = evidence.topology.with_role("director")[0]
    for _, outer, inner in pairs(evidence):
        near = evidence.captures[f"{director}-{outer.link}"]
        far = evidence.captures[f"{director}-{inner.link}"]
        done = next((one for one in near if one.ends == outer.ends and one.is_only(ACK)), None)
        syn = next((one for one in far if one.ends == inner.ends and one.is_only(SYN)), None)
        found.expect(
            done is not None and syn is not None and done.time < syn.time,
            "the SYN to the server behind the client's ACK",
            syn,
            done,
        )
    return found.close("every SYN to a server", NO_TCP)


ROWS = (
    Row("handshake-first", "servers see a SYN only after a complete handshake", _handshake_first),
    Row("first-packet", "captures began before the connections did", _first_packet),
    Row("sequence", "initial sequence numbers are treated as the series does", _sequence),
    Row("sequence-delta", "all later numbers differ by one constant", _sequence_delta),
    Row("holes", "segments to a server are lost and retransmitted", _holes),
    Row("sack", "SACK options name the client's own numbers", _sack),
    Row("ttl", "no packet's TTL grows on its way", _ttl),
    Row("payload", "the bytes are the same on every link, both ways", _payload),
    Row("in-fragments", "datagrams travel in fragments on every link, both ways", _in_fragments),
    Row("same-server", "the page is of the server that the connection reached", _same_server),
)
