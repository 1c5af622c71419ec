"""Rows about TCP options: the client's address (TOA), segment size, timestamps."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from builder.lab.capture.packet import Packet
from builder.lab.oracle import connection
from builder.lab.oracle.evidence import Connection, Evidence, Exchange, Leg
from builder.lab.oracle.judgement import Findings, Judgement, Row
from builder.lab.oracle.stream import distance

NO_TOA6 = "this series has no such option for IPv6"
NO_TCP = "a TCP connection on both sides of the director"


def pairs(evidence: Evidence) -> Iterator[tuple[Connection, Leg, Leg]]:
    """TCP connections that were followed to the director's inner side: both legs."""
    for joined in evidence.connections:
        if joined.exchange.traffic.protocol != "tcp":
            continue
        sides: dict[str, Leg] = {}
        for link, leg in joined.legs.items():
            inner = evidence.topology.link[link].side == "inner"
            if not inner:
                sides["outer"] = leg
            elif link in evidence.next_to_director:
                sides["inner"] = leg
        if len(sides) == 2:
            yield joined, sides["outer"], sides["inner"]


def _wanted(evidence: Evidence, exchange: Exchange) -> connection.Toa:
    return connection.toa_of(evidence.series, exchange.client, exchange.port)


def _has_toa(evidence: Evidence) -> bool:
    """Whether the series has the option for the addresses of this run's clients."""
    six = any(":" in exchange.client for exchange in evidence.exchanges)
    return not six or bool(evidence.series.toa_kind6)


def _toa_first(evidence: Evidence) -> Judgement:
    if not _has_toa(evidence):
        return Judgement(unsupported=NO_TOA6)
    found = Findings()
    for joined, _, inner in pairs(evidence):
        wanted = _wanted(evidence, joined.exchange)
        connection.toa_first(found, wanted, inner.syn, inner.packets[0])
    return found.close("every SYN to a server", NO_TCP)


def _data(leg: Leg) -> tuple[Packet, ...]:
    return tuple(packet for packet in leg.there if packet.payload)


def _toa_on_data(evidence: Evidence) -> Judgement:
    """The first data segment; a repetition of it is not judged, as series differ there."""
    if not _has_toa(evidence):
        return Judgement(unsupported=NO_TOA6)
    found = Findings()
    for joined, _, inner in pairs(evidence):
        wanted = _wanted(evidence, joined.exchange)
        starts = (one for one in _data(inner) if one.sequence == inner.request.start)
        for packet in itertools.islice(starts, 1):
            connection.toa_on_data(found, wanted, packet)
    return found.close("every first data segment", NO_TCP)


def _no_toa_later(evidence: Evidence) -> Judgement:
    found = Findings()
    for joined, _, inner in pairs(evidence):
        kind, _ = _wanted(evidence, joined.exchange)
        for packet in _data(inner):
            if distance(packet.sequence, inner.request.start) > 0:
                connection.no_toa_later(found, kind, packet)
    return found.close("every later data segment", "a second data segment to a server")


def _no_forged_toa(evidence: Evidence) -> Judgement:
    """Whoever reads TOA believes it: servers see it from the director, and from nobody else."""
    found = Findings()
    kinds = {evidence.series.toa_kind, evidence.series.toa_kind6} - {0}
    sent = 0
    for joined, outer, inner in pairs(evidence):
        own = _wanted(evidence, joined.exchange)
        sent += sum(1 for one in outer.there if any(kind in kinds for kind, _ in one.options))
        for packet in inner.there:
            seen = [one for one in packet.options if one[0] in kinds]
            words = f"no option of kind {' or '.join(map(str, sorted(kinds)))}"
            found.expect(seen in ([], [own]), f"{words} but {connection.shown(own)}", packet)
    scrubbed = evidence.counters.get("fullnat_toa_scrubbed")
    if scrubbed is not None:
        words = f"the director counts packets with such options, got {scrubbed}"
        found.expect(scrubbed > 0, words)
    none = "a packet of a client with an option of TOA's kinds"
    found.expect(sent > 0, none)
    return found.close(f"{sent} packets of clients had such options", none)


def _mss(evidence: Evidence) -> Judgement:
    if not _has_toa(evidence):
        return Judgement(unsupported=NO_TOA6)
    found = Findings()
    shown = ""
    for joined, outer, inner in pairs(evidence):
        room = connection.toa_room(evidence.series, joined.exchange.client)
        shown = connection.mss(found, room, inner.syn_ack, outer.syn_ack)
    return found.close(shown, NO_TCP)


def _offer(evidence: Evidence) -> Judgement:
    """The server must keep the promises, whoever answers the client's SYN."""
    found = Findings()
    shown = ""
    for _, outer, inner in pairs(evidence):
        shown = connection.offer(found, inner.syn_ack, outer.syn_ack)
    return found.close(shown, NO_TCP)


def _timestamp(evidence: Evidence) -> Judgement:
    """The timestamp is the client's own, or there is none, depending on the series."""
    found = Findings()
    for _, outer, inner in pairs(evidence):
        connection.timestamp(found, evidence.series, outer.syn, inner.syn)
    return found.close(f"timestamps are {evidence.series.timestamp}", "a SYN with a timestamp")


ROWS = (
    Row("toa-first", "the SYN to the server begins its options with TOA", _toa_first),
    Row("toa-on-data", "the first data segment carries TOA again", _toa_on_data),
    Row("no-toa-later", "later data carries none", _no_toa_later),
    Row("no-forged-toa", "servers get no TOA that a client made", _no_forged_toa),
    Row("mss", "the client is told an MSS with room for TOA", _mss),
    Row("offer", "window scale, SACK and timestamps are offered as the server does", _offer),
    Row("timestamp", "the client's timestamps are treated as the series does", _timestamp),
)
