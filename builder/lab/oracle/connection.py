"""What must hold of one connection at each step, whoever captured it.

The lab's rows and the judge of captures from elsewhere share these functions.
"""

from __future__ import annotations

from ipaddress import ip_address

from builder.lab.capture import tcpoption
from builder.lab.capture.packet import ACK, OPT_TIMESTAMP, SYN, Ends, Packet, endpoint
from builder.lab.capture.sums import Sums
from builder.lab.oracle.judgement import Findings
from builder.lab.oracle.stream import SPACE
from builder.lab.series import Fullnat

Toa = tuple[int, bytes]
"""The option with the client's address: kind and value."""


def toa_of(series: Fullnat, client: str, port: int) -> Toa:
    """The option as it must be: port and address of the client, in network order."""
    address = ip_address(client)
    kind = series.toa_kind if address.version == 4 else series.toa_kind6
    return kind, port.to_bytes(2, "big") + address.packed


def toa_room(series: Fullnat, client: str) -> int:
    """Bytes that the option takes in a header."""
    return 2 + len(toa_of(series, client, 0)[1])


def shown(option: Toa) -> str:
    return tcpoption.words(*option)


def inner_source(
    found: Findings, packet: Packet, local: frozenset[str], ports: tuple[int, int]
) -> None:
    """Packets to a server come from a local address and port."""
    low, high = ports
    known = ", ".join(sorted(local)) or "none is configured"
    found.expect(
        packet.source in local and low <= packet.source_port <= high,
        f"a local address ({known}) and a port from {low} to {high} as the source",
        packet,
    )


def toa_first(found: Findings, wanted: Toa, syn: Packet | None, first: Packet) -> None:
    found.expect(
        syn is not None and syn.options[:1] == (wanted,),
        f"{shown(wanted)} as the first option of the SYN to the server",
        syn or first,
    )


def toa_on_data(found: Findings, wanted: Toa, packet: Packet) -> None:
    """``packet``: the first data segment; a repetition is not judged, as series differ there."""
    found.expect(
        packet.options[:1] == (wanted,),
        f"{shown(wanted)} as the first option of the first data segment",
        packet,
    )


def no_toa_later(found: Findings, kind: int, packet: Packet) -> None:
    found.expect(packet.option(kind) is None, f"no option {kind} in later data", packet)


def mss(found: Findings, room: int, given: Packet | None, asked: Packet | None) -> str:
    """``given``: the server's SYN-ACK, ``asked``: the client's; returns the change in words."""
    size = given.mss if given is not None else None
    wanted = size - room if size is not None else None
    got = asked.mss if asked is not None else None
    found.expect(
        wanted is not None and got == wanted,
        f"MSS {wanted} to the client: the server's {size} less the option's {room}",
        asked,
        given,
    )
    return f"{size} becomes {got}"


def offer(found: Findings, given: Packet | None, told: Packet | None) -> str:
    """Apart from the MSS, the client is offered what its server offers (RFC 7323, 2018).

    ``given``: the server's SYN-ACK, ``told``: the client's.  Returns the server's, in words.
    """
    server, client = (_offered(packet) for packet in (given, told))
    words = ", ".join(server) or "no wscale, sackOK or timestamps"
    found.expect(None not in (given, told) and server == client, words, told, given)
    return words


def _offered(packet: Packet | None) -> tuple[str, ...]:
    if packet is None:
        return ()
    known = (
        tcpoption.words(kind, value)
        for kind in (tcpoption.WSCALE, tcpoption.SACK_OK)
        if (value := packet.option(kind)) is not None
    )
    return (*known, *(["timestamps"] if packet.option(OPT_TIMESTAMP) is not None else []))


def timestamp(found: Findings, series: Fullnat, sent: Packet | None, got: Packet | None) -> None:
    """The timestamp is the client's own, or there is none, depending on the series."""
    if sent is None or got is None or sent.option(OPT_TIMESTAMP) is None:
        return
    if series.timestamp == "kept":
        right = got.option(OPT_TIMESTAMP) == sent.option(OPT_TIMESTAMP)
        words = "the client's timestamp option in the SYN to the server"
    else:
        right = got.option(OPT_TIMESTAMP) is None
        words = "no timestamp option in the SYN to the server"
    found.expect(right, words, got, sent)


def sequence(found: Findings, series: Fullnat, sent: Packet | None, got: Packet | None) -> None:
    if sent is None or got is None:
        return
    kept = sent.sequence == got.sequence
    words = f"an initial sequence number that is {series.sequence} on the way to the server"
    found.expect(kept == (series.sequence == "kept"), words, sent, got)


Starts = tuple[int, int]
"""Sequence numbers of the first bytes, there and back."""


def deltas(outer: Starts, inner: Starts) -> tuple[int, int]:
    """By how much the inside's numbers differ from the outside's, there and back."""
    return (inner[0] - outer[0]) % SPACE, (inner[1] - outer[1]) % SPACE


def unshifted(
    found: Findings, series: Fullnat, shifts: tuple[int, int], outer: Packet, inner: Packet
) -> None:
    """If the series keeps sequence numbers, neither direction's are shifted."""
    zero = series.sequence != "kept" or not any(shifts)
    found.expect(zero, "sequence numbers are not shifted", outer, inner)


def reply_destination(found: Findings, opening: Packet, answer: Packet | None) -> None:
    """The server's first answer is for the local address and port."""
    found.expect(
        answer is not None and answer.ends == (*opening.ends[2:], *opening.ends[:2]),
        f"an answer to {endpoint(opening.source, opening.source_port)}",
        answer or opening,
    )


def outer_reply(
    found: Findings, ends: Ends, syn: Packet | None, answers: tuple[Packet, ...], first: Packet
) -> None:
    """The answer seems to come from the virtual service, and acknowledges what was sent."""
    wanted = (syn.sequence + 1) % SPACE if syn is not None else None
    words = f"{endpoint(*ends[2:])} > {endpoint(*ends[:2])}"
    words += "" if wanted is None else f" ack {wanted}"
    found.expect(bool(answers), f"an answer {words}", first)
    for packet in answers:
        found.expect(wanted in (None, packet.acknowledgement), words, packet, syn)


def is_answer(packet: Packet) -> bool:
    """To the client: a datagram, or the SYN-ACK."""
    return packet.protocol == "udp" or packet.is_only(SYN | ACK)


def first_packet(found: Findings, words: str, packet: Packet) -> None:
    """A capture that begins after the first packet has lost the proof."""
    if packet.protocol == "tcp":
        found.expect(packet.is_only(SYN), words, packet)


REUSE = 60.0
"""Seconds without a packet behind which an earlier connection may have ended unseen."""


def local_port(found: Findings, earlier: Packet, packet: Packet, ended: float, idle: float) -> None:
    """If a local address and port is reused for a server, the earlier connection must be over.

    ``ended``: when, or 0.  ``idle``: seconds since its last packet.
    """
    if not ended and idle > REUSE:
        found.doubt("the end of the earlier connection is not in the capture", packet, earlier)
        return
    words = f"no second connection from {endpoint(packet.source, packet.source_port)} meanwhile"
    found.expect(bool(ended), words, packet, earlier)


def absent(found: Findings, packet: Packet, addresses: frozenset[str], words: str) -> None:
    """Neither end of a packet is one of ``addresses``."""
    if not packet.source:
        found.doubt(f"its addresses cannot be read ({packet.sums.why})", packet)
        return
    found.expect(not {packet.source, packet.destination} & addresses, words, packet)


def checksums(found: Findings, packet: Packet, beyond: set[str]) -> None:
    """``beyond``: collects the reasons why checksums cannot be judged at all."""
    said: Sums = packet.sums
    if said.verdict == "none":
        beyond.add(said.why)
    elif said.verdict == "undecided":
        found.doubt(said.why, packet)
    else:
        found.expect(said.right, f"right checksums: {said.why}", packet)
