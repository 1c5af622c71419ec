"""Rows about TCP options: the client's address (TOA), segment size, timestamps."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from ipaddress import ip_address

from builder.lab.capture.packet import OPT_TIMESTAMP, Packet
from builder.lab.oracle.evidence import Connection, Evidence, Exchange, Leg
from builder.lab.oracle.judgement import Findings, Judgement, Row
from builder.lab.oracle.stream import distance

NO_TOA6 = "this series has no such option for IPv6"
NO_TCP = "a TCP connection on both sides of the director"


def pairs(evidence: Evidence) -> Iterator[tuple[Connection, Leg, Leg]]:
    """TCP connections that were followed to the director's inner side: both legs."""
    for connection in evidence.connections:
        if connection.exchange.traffic.protocol != "tcp":
            continue
        sides: dict[str, Leg] = {}
        for link, leg in connection.legs.items():
            inner = evidence.topology.link[link].side == "inner"
            if not inner:
                sides["outer"] = leg
            elif link in evidence.next_to_director:
                sides["inner"] = leg
        if len(sides) == 2:
            yield connection, sides["outer"], sides["inner"]


def toa_of(evidence: Evidence, exchange: Exchange) -> tuple[int, bytes]:
    """The option as it must be: port and address of the client, in network order."""
    address = ip_address(exchange.client)
    kind = evidence.series.toa_kind if address.version == 4 else evidence.series.toa_kind6
    return kind, exchange.port.to_bytes(2, "big") + address.packed


def _has_toa(evidence: Evidence) -> bool:
    """Whether there is such an option for what this run's clients use."""
    six = any(":" in exchange.client for exchange in evidence.exchanges)
    return not six or bool(evidence.series.toa_kind6)


def _shown(option: tuple[int, bytes]) -> str:
    return f"{option[0]}:{option[1].hex()}"


def _toa_first(evidence: Evidence) -> Judgement:
    if not _has_toa(evidence):
        return Judgement(unsupported=NO_TOA6)
    found = Findings()
    for connection, _, inner in pairs(evidence):
        wanted = toa_of(evidence, connection.exchange)
        first = inner.syn
        found.expect(
            first is not None and first.options[:1] == (wanted,),
            f"{_shown(wanted)} as the first option of the SYN to the server",
            first or inner.packets[0],
        )
    return found.close("every SYN to a server", NO_TCP)


def _data(leg: Leg) -> tuple[Packet, ...]:
    return tuple(packet for packet in leg.there if packet.payload)


def _toa_on_data(evidence: Evidence) -> Judgement:
    """The first data segment; a repetition of it is not judged, as series differ there."""
    if not _has_toa(evidence):
        return Judgement(unsupported=NO_TOA6)
    found = Findings()
    for connection, _, inner in pairs(evidence):
        wanted = toa_of(evidence, connection.exchange)
        starts = (one for one in _data(inner) if one.sequence == inner.request.start)
        for packet in itertools.islice(starts, 1):
            found.expect(
                packet.options[:1] == (wanted,),
                f"{_shown(wanted)} as the first option of the first data segment",
                packet,
            )
    return found.close("every first data segment", NO_TCP)


def _no_toa_later(evidence: Evidence) -> Judgement:
    found = Findings()
    for connection, _, inner in pairs(evidence):
        kind, _ = toa_of(evidence, connection.exchange)
        for packet in _data(inner):
            if distance(packet.sequence, inner.request.start) > 0:
                found.expect(packet.option(kind) is None, f"no option {kind} in later data", packet)
    return found.close("every later data segment", "a second data segment to a server")


def _mss(evidence: Evidence) -> Judgement:
    if not _has_toa(evidence):
        return Judgement(unsupported=NO_TOA6)
    found = Findings()
    shown = ""
    for connection, outer, inner in pairs(evidence):
        room = 2 + len(toa_of(evidence, connection.exchange)[1])
        given, asked = inner.syn_ack, outer.syn_ack
        size = given.mss if given is not None else None
        wanted = size - room if size is not None else None
        found.expect(
            wanted is not None and asked is not None and asked.mss == wanted,
            f"MSS {wanted} to the client: the server's {size} less the option's {room}",
            asked,
            given,
        )
        shown = f"{size} becomes {asked.mss if asked is not None else None}"
    return found.close(shown, NO_TCP)


def _timestamp(evidence: Evidence) -> Judgement:
    """As the series has it: the client's own, or none."""
    found = Findings()
    for _, outer, inner in pairs(evidence):
        sent, got = outer.syn, inner.syn
        if sent is None or got is None or sent.option(OPT_TIMESTAMP) is None:
            continue
        if evidence.series.timestamp == "kept":
            right = got.option(OPT_TIMESTAMP) == sent.option(OPT_TIMESTAMP)
            words = "the client's timestamp option in the SYN to the server"
        else:
            right = got.option(OPT_TIMESTAMP) is None
            words = "no timestamp option in the SYN to the server"
        found.expect(right, words, got, sent)
    return found.close(f"timestamps are {evidence.series.timestamp}", "a SYN with a timestamp")


ROWS = (
    Row("toa-first", "the SYN to the server begins its options with TOA", _toa_first),
    Row("toa-on-data", "the first data segment carries TOA again", _toa_on_data),
    Row("no-toa-later", "later data carries none", _no_toa_later),
    Row("mss", "the client is told an MSS with room for TOA", _mss),
    Row("timestamp", "the client's timestamps are treated as the series does", _timestamp),
)
