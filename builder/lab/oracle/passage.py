"""Compares a connection's packets on one side with those on the other side.

It is fed packet by packet, in the order of each side.  It keeps packets that wait for their
counterparts and forgets matched ones, so that memory does not grow with the connection.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field

from builder.lab.capture.packet import ACK, FIN, OPT_SACK, OPT_TIMESTAMP, RST, SYN, Packet
from builder.lab.oracle.judgement import Findings
from builder.lab.oracle.stream import HALF, SPACE

OUTER, INNER = 0, 1
MOST = 96
"""Packets of one direction and side that wait, before it is looked at why."""

Excused = Callable[[int, Packet], bool]
"""Whether a packet of a side may be on it alone: the other side's capture was over by then."""
Identity = Callable[["Waiting"], Hashable]
Key = tuple[int, int, int, int]
"""Sequence and acknowledgement as distances in the streams, flags, bytes of content."""


def nothing(_side: int, _packet: Packet) -> bool:
    """No packet is excused."""
    return False


@dataclass(frozen=True)
class Books:
    """Where a passage writes what it finds.

    ``lossless``: the captures have all packets, so that a packet on one side only was not
    translated.
    """

    numbers: Findings
    payload: Findings
    sack: Findings
    ttl: Findings
    lossless: bool


@dataclass(slots=True, eq=False)
class Waiting:
    """A packet without its counterpart so far.  ``repeat``: a packet like it was matched."""

    packet: Packet
    key: Key
    repeat: bool

    @property
    def at(self) -> int:
        return self.key[0]

    @property
    def end(self) -> int:
        return self.at + self.packet.size


@dataclass(slots=True)
class Way:
    """One direction.

    ``edge``: bytes up to here are matched; ``beyond``: matched spans after a gap.  ``last``: the
    key of the last pair.
    """

    waiting: tuple[dict[Key, list[Waiting]], dict[Key, list[Waiting]]] = field(
        default_factory=lambda: ({}, {})
    )
    edge: int = 0
    beyond: list[tuple[int, int]] = field(default_factory=list)
    acked: int = 0
    last: Key = (0, 0, 0, -1)

    def confirm(self, start: int, end: int) -> None:
        if start == self.edge and not self.beyond:
            self.edge = end
            return
        if end <= self.edge:
            return
        spans = sorted((*self.beyond, (start, end)))
        kept: list[tuple[int, int]] = []
        for low, high in spans:
            if low <= self.edge:
                self.edge = max(self.edge, high)
            elif kept and low <= kept[-1][1]:
                kept[-1] = (kept[-1][0], max(kept[-1][1], high))
            else:
                kept.append((low, high))
        self.beyond = kept

    def knows(self, start: int, end: int) -> bool:
        """Whether a whole span is matched."""
        return end <= self.edge or any(low <= start and end <= high for low, high in self.beyond)


class Passage:
    """``starts``: sequence numbers of the first bytes, by side, there and back."""

    __slots__ = ("back", "books", "forth", "resegmented", "starts", "total")

    def __init__(self, books: Books, starts: tuple[tuple[int, int], tuple[int, int]]) -> None:
        self.books = books
        self.starts = starts
        self.forth = Way()
        self.back = Way()
        self.total = 0
        self.resegmented = 0

    def take(self, side: int, forth: bool, packet: Packet) -> None:
        """A packet of one side; its counterpart may have come already, or may come later."""
        mine, theirs = self.starts[side] if forth else self.starts[side][::-1]
        way, other = (self.forth, self.back) if forth else (self.back, self.forth)
        at = way.edge + (packet.sequence - mine - way.edge + HALF) % SPACE - HALF
        if packet.flags & ACK:
            acked = (
                other.edge + (packet.acknowledgement - theirs - other.edge + HALF) % SPACE - HALF
            )
        else:
            acked = 0
        key = (at, acked, packet.flags, packet.size)
        there = way.waiting[1 - side]
        held = there.get(key)
        if held is None:
            here = way.waiting[side]
            here.setdefault(key, []).append(Waiting(packet, key, key == way.last))
            if len(here) > MOST:
                self._settle(way, side, keep=MOST // 2)
            return
        met = held.pop(0)
        if not held:
            del there[key]
        way.last = key
        way.acked = max(way.acked, acked)
        came = side == (OUTER if forth else INNER)
        near, far = (packet, met.packet) if came else (met.packet, packet)
        self._meet(way, near, far, at)

    def _meet(self, way: Way, near: Packet, far: Packet, at: int) -> None:
        books = self.books
        books.numbers.look()
        books.ttl.expect(far.ttl <= near.ttl, f"a TTL of {near.ttl} at most", far, near)
        if near.payload or far.payload:
            if near.cut or far.cut:
                books.payload.whole(near, far)
            else:
                same = near.payload == far.payload
                books.payload.expect(same, "the bytes that were sent", far, near)
            self.total += near.size
            way.confirm(at, at + near.size)
        if way is self.back and far.options:
            self._sacks(near, far)

    def _sacks(self, near: Packet, far: Packet) -> None:
        """The edges of a SACK option are numbers of the other direction (RFC 2018, 3)."""
        told, got = near.option(OPT_SACK), far.option(OPT_SACK)
        if told is None and got is None:
            return
        inner = edges(told or b"", self.starts[INNER][0])
        outer = edges(got or b"", self.starts[OUTER][0])
        self.books.sack.expect(inner == outer, f"a SACK of bytes {inner}", far, near)

    def close(self, why: str = "", excused: Excused = nothing) -> None:
        """No more packets; ``why``: the reason for packets on one side only, unless ``excused``."""
        for way in (self.forth, self.back):
            self._settle(way, None, keep=0, why=why, excused=excused)

    @property
    def empty(self) -> bool:
        """Nothing waits."""
        return not any(held for way in (self.forth, self.back) for held in way.waiting)

    def _settle(
        self,
        way: Way,
        side: int | None,
        *,
        keep: int,
        why: str = "",
        excused: Excused = nothing,
    ) -> None:
        """Report why packets wait: of ``side``, except the youngest ``keep``; or of both sides."""
        left = [list(_old(way.waiting[one], keep if one == side else 0)) for one in (OUTER, INNER)]
        origin = OUTER if way is self.forth else INNER
        near, far = self._wrong_numbers(left[origin], left[1 - origin])
        near, far = self._joined_anew(way, near, far)
        for one, held in ((origin, near), (1 - origin, far)):
            place = "behind the director" if one == origin else "in front of it"
            for waiting in held:
                if side is None and excused(one, waiting.packet):
                    continue
                if side in (None, one):
                    self._alone(way, waiting, f"on one side alone, not {place}{why}")
                else:
                    way.waiting[one].setdefault(waiting.key, []).append(waiting)

    def _joined_anew(
        self, way: Way, near: list[Waiting], far: list[Waiting]
    ) -> tuple[list[Waiting], list[Waiting]]:
        """Without packets whose bytes the other side has in differently cut segments."""
        lists = [near, far]
        spans = [sorted((one.at, one.end) for one in held if one.packet.size) for held in lists]
        if not spans[0] or not spans[1]:
            return near, far
        known = [_merged([*one, *way.beyond, (0, way.edge)]) for one in spans]
        self._compare(near, far)
        kept: list[list[Waiting]] = []
        for held, others in ((near, known[1]), (far, known[0])):
            rest: list[Waiting] = []
            for one in held:
                size = one.packet.size
                if size and any(low <= one.at and one.end <= high for low, high in others):
                    way.confirm(one.at, one.end)
                    self.resegmented += 1
                    self.books.numbers.look()
                    self.total += size if held is near else 0
                else:
                    rest.append(one)
            kept.append(rest)
        return kept[0], kept[1]

    def _compare(self, near: list[Waiting], far: list[Waiting]) -> None:
        """Bytes of segments that overlap, on both sides."""
        ordered = sorted((one for one in near if one.packet.size), key=lambda one: one.at)
        for late in far:
            for early in ordered:
                low, high = max(late.at, early.at), min(late.end, early.end)
                if low >= high:
                    continue
                if late.packet.cut or early.packet.cut:
                    self.books.payload.whole(late.packet, early.packet)
                    continue
                got = late.packet.payload[low - late.at : high - late.at]
                sent = early.packet.payload[low - early.at : high - early.at]
                self.books.payload.expect(
                    got == sent, "the bytes that were sent", late.packet, early.packet
                )

    def _wrong_numbers(
        self, near: list[Waiting], far: list[Waiting]
    ) -> tuple[list[Waiting], list[Waiting]]:
        """Without packets that clearly match except for their numbers or flags."""
        if not near or not far:
            return near, far
        for identity in (_content, _place):
            mine, theirs = _unique(near, identity), _unique(far, identity)
            for mark in mine.keys() & theirs.keys():
                early, late = mine[mark], theirs[mark]
                words = "numbers that differ by one constant, and the same flags"
                self.books.numbers.expect(False, words, late.packet, early.packet)
                near, far = _without(near, early), _without(far, late)
        return near, far

    def _alone(self, way: Way, one: Waiting, words: str) -> None:
        packet = one.packet
        if one.repeat or (packet.size and way.knows(one.at, one.end)):
            return  # a repetition that was lost on the way, or that repeats what was lost
        if self.books.lossless:
            self.books.numbers.expect(False, words, packet)
        else:
            self.books.numbers.doubt(words, packet)
        if packet.size:
            if self.books.lossless:
                self.books.payload.expect(False, words, packet)
            else:
                self.books.payload.doubt(words, packet)
            way.confirm(one.at, one.end)


def edges(option: bytes, start: int) -> tuple[int, ...]:
    """The edges of a SACK option as distances from a stream's first byte."""
    words = (option[at : at + 4] for at in range(0, len(option), 4))
    return tuple((int.from_bytes(word, "big") - start + HALF) % SPACE - HALF for word in words)


def _old(waiting: dict[Key, list[Waiting]], keep: int) -> Iterator[Waiting]:
    """Take out all but the youngest."""
    for key in list(waiting)[: max(0, len(waiting) - keep)]:
        yield from waiting.pop(key)


def _merged(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for low, high in sorted(spans):
        if found and low <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], high))
        else:
            found.append((low, high))
    return found


def _content(one: Waiting) -> Hashable:
    """What translation does not change; an empty packet without a mark is like many others."""
    packet = one.packet
    stamp = packet.option(OPT_TIMESTAMP)
    if not (packet.size or packet.ident or stamp or packet.flags & (SYN | FIN | RST)):
        return one
    return (packet.flags, packet.size, packet.payload, packet.ident, stamp)


def _place(one: Waiting) -> Hashable:
    """The numbers and the content, but not the flags."""
    packet = one.packet
    stamp = packet.option(OPT_TIMESTAMP)
    return (*one.key[:2], packet.payload, packet.size, packet.ident, stamp)


def _unique(
    held: list[Waiting], identity: Callable[[Waiting], Hashable]
) -> dict[Hashable, Waiting]:
    """The packets that are like no other packet in the list."""
    counted = Counter(identity(one) for one in held)
    return {mark: one for one in held if counted[mark := identity(one)] == 1}


def _without(held: list[Waiting], which: Waiting) -> list[Waiting]:
    return [one for one in held if one is not which]
