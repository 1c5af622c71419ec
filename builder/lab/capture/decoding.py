"""Decodes frames into packets: what each layer says, and the result of all layers."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

import msgspec

from builder.lab.capture import internet, link, sums
from builder.lab.capture.fragments import LIFETIME, Assembler, Fragment, Group
from builder.lab.capture.internet import IPV4, IPV6, UNREADABLE, Datagram
from builder.lab.capture.link import TALK, TYPE_IPV4, TYPE_IPV6
from builder.lab.capture.names import address
from builder.lab.capture.packet import Packet, Transport
from builder.lab.capture.record import Frame
from builder.lab.capture.sums import Ends
from builder.lab.capture.transport import name_of, transport
from builder.lab.capture.usual import usual

TUNNELS = {IPV4: 4, IPV6: 6}
"""Version of the packet that such a protocol carries (RFC 2003, 4213)."""
LONGEST_WAIT = 4096
"""Packets that wait behind a fragment whose datagram is not whole yet, when they are streamed."""
DEEPEST = 8
"""Tunnels inside tunnels that are looked into."""
OTHERS = f"neither IP nor any of {', '.join(f'{one:#06x}' for one in TALK)}: not looked into"

INSIDE = sums.undecided("a fragment inside a tunnel")


@dataclass(frozen=True)
class _Seen:
    """Where and when a frame was captured, who sent it, and to whom."""

    place: str
    frame: int
    time: float
    mac: str
    vlans: tuple[int, ...]
    to: str


@dataclass
class _Found:
    """A packet and where its record ends, or a fragment; its verdict may depend on later frames."""

    offset: int
    packet: Packet | None
    part: tuple[_Seen, Fragment, Group] | None = None

    def settled(self, since: float) -> bool:
        """Whether its verdict is final: groups from before ``since`` get no more fragments."""
        if self.part is None:
            return True
        group = self.part[2]
        return group.sums is not None or group.began < since

    def judged(self) -> Packet:
        if self.packet is None and self.part is not None:
            seen, piece, group = self.part
            self.packet = _fragment(seen, piece, group.verdict())
        assert self.packet is not None  # noqa: S101 - one of both is given
        return self.packet


def decode(place: str, frames: Iterable[Frame]) -> tuple[tuple[Packet, int], ...]:
    """All packets of a capture and where each one's record ends, fragments and datagrams too.

    Frames whose type carries no packets are left out.  A packet that cannot be read has no
    addresses.  Raises KeyError for an unknown link type.
    """
    return tuple((one.judged(), one.offset) for one in Decoder(place).all(frames))


def stream(place: str, frames: Iterable[Frame]) -> Iterator[Packet]:
    """The same packets one by one, with as little memory as possible.

    Fragments, and packets captured after them, wait until their datagram is complete or too old.
    """
    decoder = Decoder(place)
    for frame in frames:
        packet = usual(place, frame) if not decoder.waiting else None
        if packet is not None:
            yield packet
            continue
        yield from decoder.take(frame)
    yield from decoder.rest()


@dataclass
class Decoder:
    """Packets of one capture, in its order.  ``waiting``: fragments, and packets after them."""

    place: str
    assembler: Assembler = field(default_factory=Assembler)
    waiting: deque[_Found] = field(default_factory=deque)

    def all(self, frames: Iterable[Frame]) -> list[_Found]:
        return [one for frame in frames for one in self._found(frame)]

    def take(self, frame: Frame) -> Iterator[Packet]:
        """The packets that this frame settles."""
        self.waiting.extend(self._found(frame))
        since = frame.time - LIFETIME
        while self.waiting and (len(self.waiting) > LONGEST_WAIT or self.waiting[0].settled(since)):
            yield self.waiting.popleft().judged()

    def rest(self) -> Iterator[Packet]:
        while self.waiting:
            yield self.waiting.popleft().judged()

    def _found(self, frame: Frame) -> list[_Found]:
        packet = usual(self.place, frame)
        if packet is not None:
            return [_Found(frame.offset, packet)]
        return _frame(self.place, frame, self.assembler)


def _frame(place: str, frame: Frame, assembler: Assembler) -> list[_Found]:
    head = link.unwrap(frame.link, frame.data)
    seen = _Seen(place, frame.number, frame.time, head.mac, head.vlans, head.to)
    rest, wire = frame.data[head.at :], max(frame.wire - head.at, 0)
    if head.type == link.CONTROL or head.type in TALK:
        return []
    if head.type not in (TYPE_IPV4, TYPE_IPV6):
        lost = _opaque(seen, rest, cut=head.type < 0 and len(frame.data) < frame.wire)
        return [_Found(frame.offset, lost)]
    part = internet.parse(4 if head.type == TYPE_IPV4 else 6, rest, wire)
    if part.piece is None:
        return [_Found(frame.offset, _packet(seen, part))]
    piece = Fragment(part, part.piece)
    group, whole = assembler.take(seen.vlans, seen.frame, seen.time, piece)
    found = [_Found(frame.offset, None, (seen, piece, group))]
    if whole is not None:
        joined = msgspec.structs.replace(_packet(seen, whole), frames=tuple(group.frames))
        group.sums = joined.sums
        found.append(_Found(frame.offset, joined))
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
    return msgspec.structs.replace(made, inner=inner)


def _content(part: Datagram, layer: Transport) -> sums.Sums:
    """The verdict on everything after the IP headers."""
    if part.protocol == UNREADABLE:
        return part.header
    judged = sums.judge(part.protocol, part.body, part.ends, part.cut)
    if layer.protocol.startswith("broken "):
        return sums.worst(sums.wrong(f"not a whole header of {name_of(part.protocol)}"), judged)
    return judged


def _carried(seen: _Seen, part: Datagram, depth: int) -> Packet | None:
    """The packet inside a tunnel packet; fragments are not reassembled there."""
    version = TUNNELS.get(part.protocol)
    if version is None or depth == DEEPEST:
        return None
    wire = part.length if part.cut else len(part.body)
    inner = internet.parse(version, part.body, wire)
    if inner.piece is None:
        return _packet(seen, inner, depth + 1)
    return _fragment(seen, Fragment(inner, inner.piece), INSIDE)


def _fragment(seen: _Seen, part: Fragment, said: sums.Sums) -> Packet:
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
        source=address(part.source),
        destination=address(part.destination),
        ttl=part.ttl,
        length=part.length,
        sums=said,
        cut=part.cut,
        missing=part.missing,
        ident=part.ident,
        piece=part.piece,
        **{name: getattr(layer, name) for name in Transport.__struct_fields__},
    )
