"""What each method rewrites: a packet before and after the director, side by side."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from builder.lab.capture import tcpoption
from builder.lab.capture.packet import Packet, endpoint
from builder.lab.oracle.evidence import Connection, Evidence, Leg
from builder.lab.oracle.views import outer_leg, shown_connection
from builder.lab.page.segment import toa
from builder.lab.scenario.model import Method

NAMES: dict[Method, str] = {"fullnat": "FULLNAT", "nat": "NAT", "dr": "DR", "tun": "TUN"}
LOCAL = "local address:port"


@dataclass(frozen=True)
class Field:
    """A field of a packet; ``changed``: the director wrote it."""

    text: str
    changed: bool = False


@dataclass(frozen=True)
class Passing:
    """A packet on one link."""

    link: str
    source: Field
    destination: Field
    added: str = ""


@dataclass(frozen=True)
class Rewriting:
    """``request`` and ``answer``: before and after the director.

    ``captured``: they are packets of this recording; otherwise they are what the method makes of
    such a connection.
    """

    method: str
    captured: str
    request: tuple[Passing, Passing]
    answer: tuple[Passing, Passing]


@dataclass(frozen=True)
class _Ends:
    """The addresses with ports that take part in a connection."""

    client: str
    virtual: str
    local: str
    server: str


def rewritings(evidence: tuple[Evidence, ...]) -> tuple[Rewriting, ...]:
    """FULLNAT, NAT and the other methods of the runs; empty if no connection is complete."""
    ends = next((found for run in evidence for found in _ends(run)), None)
    if ends is None:
        return ()
    chosen = {"FULLNAT": _fullnat(ends), "NAT": _nat(ends)}
    for run in reversed(evidence):  # a proof is before its controls, and counts more
        chosen |= {one.method: one for one in _captured(run)}
    return tuple(chosen.values())


def _ends(run: Evidence) -> Iterator[_Ends]:
    for outer, inner in _legs(run):
        server = endpoint(*inner.ends[2:]) if inner.ends[2:] != outer.ends[2:] else "server:port"
        yield _Ends(endpoint(*outer.ends[:2]), endpoint(*outer.ends[2:]), LOCAL, server)


def _legs(run: Evidence) -> Iterator[tuple[Leg, Leg]]:
    """The first whole connection, on the client's link and after the director."""
    connection = _passed(run)
    if connection is None:
        return
    outer = outer_leg(run, connection)
    for link, inner in connection.legs.items():
        if outer is not None and link in run.next_to_director:
            yield outer, inner
            return


def _passed(run: Evidence) -> Connection | None:
    found = shown_connection(run)
    if found is not None:
        return found
    return next((one for one in run.connections if len(one.legs) > 1), None)


def _captured(run: Evidence) -> Iterator[Rewriting]:
    methods = {service.method for service in run.run.service}
    if len(methods) != 1:
        return
    (method,) = methods
    for outer, inner in _legs(run):
        if outer.there and inner.there and outer.back and inner.back:
            request = _pair(run, outer.there[0], inner.there[0])
            answer = _pair(run, inner.back[0], outer.back[0])
            yield Rewriting(NAMES[method], f"as captured in {run.run.name}", request, answer)


def _pair(run: Evidence, before: Packet, behind: Packet) -> tuple[Passing, Passing]:
    told = toa(behind, run.series)
    added = f"TOA {tcpoption.client(told)}" if told and not toa(before, run.series) else ""
    source, target = endpoint(*behind.ends[:2]), endpoint(*behind.ends[2:])
    return (
        Passing(
            f"{before.place} #{before.frame}",
            Field(endpoint(*before.ends[:2])),
            Field(endpoint(*before.ends[2:])),
        ),
        Passing(
            f"{behind.place} #{behind.frame}",
            Field(source, before.ends[:2] != behind.ends[:2]),
            Field(target, before.ends[2:] != behind.ends[2:]),
            added,
        ),
    )


def _fullnat(ends: _Ends) -> Rewriting:
    return Rewriting(
        "FULLNAT",
        "as it would be",
        (_plain(ends.client, ends.virtual), _changed(ends.local, ends.server, "TOA the client")),
        (_plain(ends.server, ends.local), _changed(ends.virtual, ends.client)),
    )


def _nat(ends: _Ends) -> Rewriting:
    return Rewriting(
        "NAT",
        "as it would be",
        (
            _plain(ends.client, ends.virtual),
            Passing("", Field(ends.client), Field(ends.server, changed=True)),
        ),
        (
            _plain(ends.server, ends.client),
            Passing("", Field(ends.virtual, changed=True), Field(ends.client)),
        ),
    )


def _plain(source: str, destination: str) -> Passing:
    return Passing("", Field(source), Field(destination))


def _changed(source: str, destination: str, added: str = "") -> Passing:
    return Passing("", Field(source, changed=True), Field(destination, changed=True), added)
