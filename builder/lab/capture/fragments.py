"""Reassembles datagrams from fragments (RFC 791 3.2, 815, 5722, 7112, 8200 4.5)."""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field, replace

from builder.lab.capture import internet, sums, transport
from builder.lab.capture.internet import UNREADABLE, Datagram, Piece
from builder.lab.capture.sums import Sums

LIFETIME = 60.0
"""Seconds from the first fragment to the last: hosts wait no longer (RFC 8200, 4.5)."""
LARGEST = 0xFFFF
"""Bytes of a datagram, IPv4's header included (RFC 791, 3.1)."""


@dataclass(frozen=True)
class Fragment:
    """A fragment: the packet that carried it, and where its bytes belong."""

    packet: Datagram
    piece: Piece

    @property
    def body(self) -> bytes:
        return self.packet.body

    @property
    def span(self) -> tuple[int, int]:
        return self.piece.offset, self.piece.offset + len(self.body)


@dataclass
class Group:
    """Fragments that seem to belong to one datagram.

    ``began``: when the first was captured.  ``frames``: their numbers.  ``whole``: the datagram,
    once complete.  ``before``: an earlier complete datagram with the same number.
    """

    began: float
    before: Group | None = None
    frames: list[int] = field(default_factory=list)
    parts: list[Fragment] = field(default_factory=list)
    whole: Datagram | None = None
    sums: Sums | None = None

    def add(self, frame: int, part: Fragment) -> Datagram | None:
        """The whole datagram, if this was the last missing fragment."""
        self.frames.append(frame)
        self.parts.append(part)
        if self.missing() or self.fault() is not None:
            return None
        self.whole = self._joined()
        return self.whole

    def covers(self, parts: Iterable[Fragment]) -> bool:
        """Whether the fragments repeat the bytes that this group has at the same places."""
        body = self.content()
        return all(body[slice(*part.span)] == part.body and not part.packet.cut for part in parts)

    def content(self) -> bytes:
        """The known bytes; where two fragments overlap, those of the later one (RFC 791, 3.2)."""
        known = bytearray(self._end())
        for part in self.parts:
            known[slice(*part.span)] = part.body
        return bytes(known)

    def _end(self) -> int:
        return max(part.span[1] for part in self.parts)

    def missing(self) -> str:
        """Which bytes have not been seen, in words."""
        at = 0
        for start, end in sorted(part.span for part in self.parts):
            if start > at:
                return f"bytes {at} to {start - 1} of the datagram"
            at = max(at, end)
        closed = any(not part.piece.more for part in self.parts)
        return "" if closed else f"the bytes from {at} of the datagram"

    def fault(self) -> Sums | None:
        """Why receivers may not all make the same datagram of these fragments."""
        if any(part.packet.cut for part in self.parts):
            return sums.CUT
        six = len(self.parts[0].packet.source) == 16
        for part in self.parts:
            if part.piece.more and (len(part.body) % 8 or not part.body):
                return sums.wrong("a fragment but the last whose length is not a multiple of 8")
        first = self.parts[0]
        room = LARGEST if six else LARGEST - (first.packet.length - len(first.body))
        if self._end() > room:
            return sums.wrong(f"fragments of more than {LARGEST} bytes")
        ends = {part.span[1] for part in self.parts if not part.piece.more}
        if len(ends) > 1 or (ends and self._end() > min(ends)):
            return sums.wrong("fragments after the last one")
        return self._overlap(six) or self._first(six)

    def _overlap(self, six: bool) -> Sums | None:
        """Overlapping fragments: IPv6 discards all unless they are identical."""
        ordered = sorted({part.span for part in self.parts})
        different = any(one[1] > next_[0] for one, next_ in itertools.pairwise(ordered))
        if six and different:
            return sums.wrong("overlapping fragments (RFC 8200, 4.5)")
        if self.covers(self.parts):
            return None
        if six:
            return sums.wrong("overlapping fragments that differ (RFC 8200, 4.5)")
        return sums.undecided("overlapping fragments that differ: receivers do not agree on them")

    def _first(self, six: bool) -> Sums | None:
        """An IPv6 first fragment must have all headers in it (RFC 7112)."""
        for part in self.parts:
            if six and not part.piece.offset:
                end = internet.walked(replace(part.packet, piece=None))
                short = end.protocol == UNREADABLE or transport.is_short(end.protocol, end.body)
                if short:
                    return sums.wrong("the first fragment lacks headers (RFC 7112, 5)")
        return None

    def _joined(self) -> Datagram:
        first = next(part.packet for part in self.parts if not part.piece.offset)
        body = self.content()
        found = internet.walked(
            replace(
                first,
                body=body,
                length=first.length - len(first.body) + len(body),
                header=sums.worst(*(part.packet.header for part in self.parts)),
                piece=None,
            )
        )
        if found.piece is None:
            return found
        return replace(
            found, piece=None, protocol=UNREADABLE, header=sums.wrong("two fragmentings")
        )

    def verdict(self) -> Sums:
        """The verdict on each of the fragments, apart from its own header."""
        if self.sums is not None:
            return self.sums
        earlier = self.before
        if earlier is not None and earlier.sums is not None and earlier.covers(self.parts):
            return earlier.sums
        missing = self.missing()
        return self.fault() or sums.undecided(f"fragments are missing: {missing}")


class Assembler:
    """Sorts fragments into groups, in the order of a capture."""

    def __init__(self) -> None:
        self._open: dict[Hashable, Group] = {}
        self._done: dict[Hashable, Group] = {}

    def take(
        self, place: Hashable, frame: int, time: float, part: Fragment
    ) -> tuple[Group, Datagram | None]:
        """The fragment's group, and the datagram if it is complete now.

        ``place``: what distinguishes links in one capture, such as VLAN tags.
        """
        # RFC 791: the protocol is part of the key; RFC 8200: only the first fragment's counts
        packet = part.packet
        number = packet.protocol if len(packet.source) == 4 else None
        key = (place, packet.source, packet.destination, number, part.piece.ident)
        self._forget(time)
        group = self._open.get(key)
        if group is None or time - group.began > LIFETIME:
            self._open.pop(key, None)
            group = self._open[key] = Group(time, self._earlier(key, time))
        whole = group.add(frame, part)
        if whole is not None:
            self._done.pop(key, None)  # so that it is the youngest
            self._done[key] = self._open.pop(key)
        return group, whole

    def _forget(self, time: float) -> None:
        """Forget groups older than a host would wait; the oldest come first."""
        for groups in (self._open, self._done):
            while groups:
                key, oldest = next(iter(groups.items()))
                if abs(time - oldest.began) <= LIFETIME:
                    break
                del groups[key]

    def _earlier(self, key: Hashable, time: float) -> Group | None:
        found = self._done.get(key)
        return found if found is not None and time - found.began <= LIFETIME else None
