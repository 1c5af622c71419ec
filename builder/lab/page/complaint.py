"""Failed assertions as ladders: the connection, and in it the very packet that is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from builder import pages
from builder.lab.capture.packet import Packet
from builder.lab.judging import Judged
from builder.lab.oracle.evidence import Connection, Evidence
from builder.lab.oracle.views import Place, place_of
from builder.lab.page.ladder import Ladder, ladder, loose
from builder.lab.verdict import Fault, RowVerdict, RunVerdict

SHOWN = 2
"""Faults of one assertion that are drawn; all are in the table."""


@dataclass(frozen=True)
class DrawnFault:
    """``expected`` and ``seen``: in words.  ``ladder``: None if no packet is wrong by itself."""

    expected: str
    seen: tuple[str, ...]
    ladder: Ladder | None


@dataclass(frozen=True)
class Complaint:
    """An assertion that does not hold although it must.  ``anchor``: where it is drawn."""

    run: str
    name: str
    must_hold: str
    outcome: str
    anchor: str
    faults: tuple[DrawnFault, ...]


def complaints(judged: Judged) -> tuple[Complaint, ...]:
    """The complaints of every run without the expected outcome."""
    return tuple(
        Complaint(
            run.name,
            row.name,
            row.must_hold,
            row.outcome,
            anchor(run, row),
            tuple(_drawn(fault, evidence) for fault in row.faults[:SHOWN]),
        )
        for run, evidence in zip(judged.verdict.runs, judged.evidence, strict=True)
        if not run.as_expected
        for row in run.rows
        if row.outcome in ("fail", "undecided") and row.name not in evidence.run.must_fail
    )


def anchor(run: RunVerdict, row: RowVerdict) -> str:
    return pages.anchor("wrong", run.name, row.name)


def _drawn(fault: Fault, evidence: Evidence) -> DrawnFault:
    seen = tuple(f"{one.capture} #{one.frame}: {one.text}" for one in fault.packets)
    wrong = frozenset((one.capture, one.frame) for one in fault.packets)
    return DrawnFault(fault.expected, seen, _ladder(wrong, evidence) if wrong else None)


def _ladder(wrong: frozenset[Place], evidence: Evidence) -> Ladder | None:
    """The connection of the first packet, or the packets alone if they belong to none."""
    packets = tuple(_found(wrong, evidence))
    for packet in packets:
        for connection in evidence.connections:
            marked = frozenset(_in_leg(connection, packets))
            if marked and _is_of(packet, connection):
                return ladder(evidence, connection, marked)
    drawn = loose(evidence, packets)
    return drawn if drawn.arrows else None


def _found(wrong: frozenset[Place], evidence: Evidence) -> Iterator[Packet]:
    for place, frame in sorted(wrong):
        for packet in evidence.captures.get(place, ()):
            if packet.frame == frame:
                yield packet
                break


def _is_of(packet: Packet, connection: Connection) -> bool:
    return any(_in_leg(connection, (packet,)))


def _in_leg(connection: Connection, packets: tuple[Packet, ...]) -> Iterator[Place]:
    """Where the connection's own captures have these packets: a link has two ends."""
    for packet in packets:
        leg = connection.legs.get(packet.place.partition("-")[2])
        for one in leg.packets if leg is not None else ():
            if place_of(one) == place_of(packet) or _same(one, packet):
                yield place_of(one)
                break


def _same(one: Packet, other: Packet) -> bool:
    """Whether two captures of a link have the same packet."""
    return one.place != other.place and _content(one) == _content(other)


def _content(packet: Packet) -> tuple[object, ...]:
    numbers = (packet.sequence, packet.acknowledgement, packet.flags, packet.ident)
    return (packet.protocol, packet.ends, numbers, packet.options, packet.payload)
