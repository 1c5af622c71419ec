"""One captured packet, parsed as far as the oracle needs it (RFC 791, 8200, 9293, 768, 792)."""

from __future__ import annotations

import msgspec

from builder.lab.capture import tcpoption
from builder.lab.capture.internet import Piece
from builder.lab.capture.sums import Sums

FIN, SYN, RST, PSH, ACK = 0x01, 0x02, 0x04, 0x08, 0x10
FLAG_NAMES = ((SYN, "S"), (FIN, "F"), (RST, "R"), (PSH, "P"), (ACK, "."))
OPT_NOP, OPT_MSS = tcpoption.NOP, tcpoption.MSS
OPT_SACK, OPT_TIMESTAMP = tcpoption.SACK, tcpoption.TIMESTAMP

Ends = tuple[str, int, str, int]
"""Source address and port, destination address and port."""


class Transport(msgspec.Struct, frozen=True):
    """What the header after IP's says.

    Ports are 0 where the protocol has none, and in all fragments but the first.  ``options``: TCP
    options in their order, kind and value.  ``quoted``: the ends that an ICMP error quotes.  A
    ``protocol`` of two words is unknown to the rows: ``fragment udp``, ``cut tcp`` (its header was
    not captured whole), ``broken tcp``, ``unreadable``.
    """

    protocol: str
    source_port: int = 0
    port: int = 0
    sequence: int = 0
    acknowledgement: int = 0
    flags: int = 0
    options: tuple[tuple[int, bytes], ...] = ()
    payload: bytes = b""
    quoted: Ends | None = None
    icmp: str = ""


class Packet(Transport, frozen=True, kw_only=True):
    """An IP packet in frame ``frame`` (from 1) of a capture, or one that travelled in fragments.

    ``place``: ``HOST-LINK``, the capture's name.  ``time``: seconds, by that host's own clock.
    ``source`` and ``destination``: empty where they could not be read.  ``sums``: of every
    checksum that covers it.  ``mac``: the sender on this link, ``to``: whom it is for, empty where
    the capture does not tell.  ``vlans``: its tags, the outer first.  ``cut``: not all of it was
    captured; ``missing`` bytes are not there.  ``ident``: of IPv4.  ``inner``: the packet that a
    tunnel carries.

    Each fragment is a packet of its own, with ``piece``.  The datagram follows in the frame of
    the fragment that was the last to come; ``frames`` has all of them.
    """

    place: str
    frame: int
    time: float
    source: str
    destination: str
    ttl: int
    length: int
    sums: Sums
    mac: str
    vlans: tuple[int, ...] = ()
    cut: bool = False
    missing: int = 0
    ident: int = 0
    piece: Piece | None = None
    frames: tuple[int, ...] = ()
    inner: Packet | None = None
    to: str = ""

    @property
    def sums_right(self) -> bool:
        """All of its checksums were judged, and are right."""
        return self.sums.right

    @property
    def ends(self) -> Ends:
        return (self.source, self.source_port, self.destination, self.port)

    @property
    def flag_text(self) -> str:
        """As tcpdump(1) writes them."""
        return "".join(name for bit, name in FLAG_NAMES if self.flags & bit)

    @property
    def size(self) -> int:
        """Bytes of content that it had on the link, captured or not."""
        return len(self.payload) + self.missing

    def is_only(self, flags: int) -> bool:
        """Of SYN, ACK, FIN and RST exactly ``flags`` are set."""
        return self.flags & (SYN | ACK | FIN | RST) == flags

    @property
    def mss(self) -> int | None:
        """Value of the maximum segment size option (RFC 9293, 3.7.1)."""
        value = next((value for kind, value in self.options if kind == OPT_MSS), None)
        return int.from_bytes(value, "big") if value is not None else None

    def option(self, kind: int) -> bytes | None:
        return next((value for one, value in self.options if one == kind), None)

    def __str__(self) -> str:
        return f"{self.place} #{self.frame}: {endpoint(self.source, self.source_port)} > " + (
            f"{endpoint(self.destination, self.port)} {self.detail}"
        )

    @property
    def detail(self) -> str:
        """What to show besides the ends."""
        if self.protocol == "tcp":
            said = [f"[{self.flag_text}]", f"seq {self.sequence}"]
            if self.flags & ACK:
                said.append(f"ack {self.acknowledgement}")
            if self.options:
                said.append("options " + ", ".join(tcpoption.words(*one) for one in self.options))
            if self.payload:
                said.append(f"{len(self.payload)} bytes")
            return " ".join(said)
        if self.piece is not None:
            end = self.piece.offset + len(self.payload)
            return f"{self.protocol} bytes {self.piece.offset} to {end - 1}"
        if self.icmp:
            return f"icmp {self.icmp}"
        if self.inner is not None:
            return f"{self.protocol} ({str(self.inner).partition(': ')[2]})"
        travelled = f" in fragments {', '.join(f'#{one}' for one in self.frames)}"
        return f"{self.protocol} {len(self.payload)} bytes{travelled if self.frames else ''}"


def endpoint(address: str, port: int) -> str:
    """``10.0.1.1:80``, ``[fd00:1::1]:80``; without the port if it is 0, ``?`` if not known."""
    if not address:
        return "?"
    if not port:
        return address
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
