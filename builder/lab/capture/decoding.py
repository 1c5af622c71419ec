"""From frames to packets: what each layer says, and what it all comes to."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from ipaddress import ip_address

from builder.lab.capture import internet, link, sums
from builder.lab.capture.fragments import Assembler, Part
from builder.lab.capture.internet import IPV4, IPV6, UNREADABLE, Datagram
from builder.lab.capture.link import TALK, TYPE_IPV4, TYPE_IPV6
from builder.lab.capture.packet import Packet, Transport
from builder.lab.capture.sums import Ends
from builder.lab.capture.transport import name_of, transport

TUNNELS = {IPV4: 4, IPV6: 6}
"""Version of the packet that such a protocol carries (RFC 2003, 4213)."""
DEEPEST = 8
"""Tunnels inside tunnels that are looked into."""
OTHERS = f"neither IP nor any of {', '.join(f'{one:#06x}' for one in TALK)}: not looked into"

INSIDE = sums.undecided("a fragment inside a tunnel")


@dataclass(frozen=True)
class Frame:
    """A frame as it was captured.

    ``offset``: where its record ends in the file, in bytes.  ``wire``: its length on the link.
    ``link``: the link type.
    """

    number: int
    time: float
    data: bytes
    offset: int
    wire: int
    link: int = link.ETHERNET


@dataclass(frozen=True)
class _Seen:
    """Where and when a frame was captured, and who sent it."""

    place: str
    frame: int
    time: float
    mac: str
    vlans: tuple[int, ...]


Found = Callable[[], Packet]
"""A packet whose verdict may depend on frames that are still to come."""


def decode(place: str, frames: Iterable[Frame]) -> tuple[tuple[Packet, int], ...]:
    """All packets of a capture and where each one's record ends, fragments and datagrams too.

    Frames that by their type carry no packets are left out; what should be a packet and cannot
    be read is one without addresses.  Raises KeyError for a link type that is not known.
    """
    assembler = Assembler()
    found = [
        (packet, frame.offset) for frame in frames for packet in _frame(place, frame, assembler)
    ]
    return tuple((packet(), offset) for packet, offset in found)


def _frame(place: str, frame: Frame, assembler: Assembler) -> list[Found]:
    head = link.unwrap(frame.link, frame.data)
    seen = _Seen(place, frame.number, frame.time, head.mac, head.vlans)
    rest, wire = frame.data[head.at :], max(frame.wire - head.at, 0)
    if head.type == link.CONTROL or head.type in TALK:
        return []
    if head.type not in (TYPE_IPV4, TYPE_IPV6):
        lost = _opaque(seen, rest, cut=head.type < 0 and len(frame.data) < frame.wire)
        return [lambda: lost]
    part = internet.parse(4 if head.type == TYPE_IPV4 else 6, rest, wire)
    if part.piece is None:
        packet = _packet(seen, part)
        return [lambda: packet]
    piece = Part(part, part.piece)
    group, whole = assembler.take(seen.vlans, seen.frame, seen.time, piece)
    found: list[Found] = [lambda: _fragment(seen, piece, group.verdict())]
    if whole is not None:
        joined = replace(_packet(seen, whole), frames=tuple(group.frames))
        group.sums = joined.sums
        found.append(lambda: joined)
    return found


def _opaque(seen: _Seen, data: bytes, *, cut: bool) -> Packet:
    said = sums.CUT if cut else sums.Sums("none", OTHERS)
    part = Datagram(b"", b"", 0, UNREADABLE, data, len(data), cut, said, Ends(b"", b""))
    return _packet(seen, part)


def _packet(seen: _Seen, part: Datagram, depth: int = 0) -> Packet:
    layer = transport(part.protocol, part.body, part.cut)
    inner = _carried(seen, part, depth)
    content = inner.sums if inner is not None else _content(part, layer)
    made = _made(seen, part, layer, sums.worst(part.header, content))
    return replace(made, inner=inner)


def _content(part: Datagram, layer: Transport) -> sums.Sums:
    """What is to be said of all behind IP's headers."""
    if part.protocol == UNREADABLE:
        return part.header
    judged = sums.judge(part.protocol, part.body, part.ends, part.cut)
    if layer.protocol.startswith("broken "):
        return sums.worst(sums.wrong(f"not a whole header of {name_of(part.protocol)}"), judged)
    return judged


def _carried(seen: _Seen, part: Datagram, depth: int) -> Packet | None:
    """The packet inside a tunnel's; fragments are not put together there."""
    version = TUNNELS.get(part.protocol)
    if version is None or depth == DEEPEST:
        return None
    wire = part.length if part.cut else len(part.body)
    inner = internet.parse(version, part.body, wire)
    if inner.piece is None:
        return _packet(seen, inner, depth + 1)
    return _fragment(seen, Part(inner, inner.piece), INSIDE)


def _fragment(seen: _Seen, part: Part, said: sums.Sums) -> Packet:
    """A fragment's own packet: the first one has ports, too."""
    packet, first = part.packet, not part.piece.offset
    if first:
        end = internet.walked(replace(packet, piece=None))
        own = transport(end.protocol, end.body, cut=True)
        layer = Transport(
            f"fragment {name_of(end.protocol)}",
            source_port=own.source_port,
            port=own.port,
            payload=packet.body,
        )
    else:
        layer = Transport(f"fragment {name_of(packet.protocol)}", payload=packet.body)
    return _made(seen, packet, layer, sums.worst(packet.header, said))


def _made(seen: _Seen, part: Datagram, layer: Transport, said: sums.Sums) -> Packet:
    return Packet(
        **vars(seen),
        source=str(ip_address(part.source)) if part.source else "",
        destination=str(ip_address(part.destination)) if part.destination else "",
        ttl=part.ttl,
        length=part.length,
        sums=said,
        cut=part.cut,
        piece=part.piece,
        **vars(layer),
    )
