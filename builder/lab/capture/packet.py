"""One captured frame, taken apart as far as the oracle asks (RFC 791, 8200, 9293, 768, 792)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from ipaddress import ip_address

import dpkt

FIN, SYN, RST, PSH, ACK = 0x01, 0x02, 0x04, 0x08, 0x10
FLAG_NAMES = ((SYN, "S"), (FIN, "F"), (RST, "R"), (PSH, "P"), (ACK, "."))
OPT_NOP, OPT_MSS, OPT_SACK, OPT_TIMESTAMP = 1, 2, 5, 8

Ends = tuple[str, int, str, int]
"""Source address and port, destination address and port."""


@dataclass(frozen=True)
class Transport:
    """What the header behind IP's says.

    Ports are 0 where the protocol has none, or in fragments but the first.  ``options``: TCP
    options in their order, kind and value.  ``quoted``: the ends that an ICMP error quotes.
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


@dataclass(frozen=True, kw_only=True)
class Packet(Transport):
    """An IP packet in frame ``frame`` (from 1) of a capture.

    ``place``: ``HOST-LINK``, the capture's name.  ``time``: seconds, by that host's own clock.
    ``sums_right``: every checksum that covers it.  ``mac``: the sender on this link.  ``inner``:
    the packet that a tunnel carries.
    """

    place: str
    frame: int
    time: float
    source: str
    destination: str
    ttl: int
    length: int
    sums_right: bool
    mac: str
    inner: Packet | None = None

    @property
    def ends(self) -> Ends:
        return (self.source, self.source_port, self.destination, self.port)

    @property
    def flag_text(self) -> str:
        """As tcpdump(1) writes them."""
        return "".join(name for bit, name in FLAG_NAMES if self.flags & bit)

    def is_only(self, flags: int) -> bool:
        """Of SYN, ACK, FIN and RST exactly ``flags`` are set."""
        return self.flags & (SYN | ACK | FIN | RST) == flags

    @cached_property
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
        """What there is to say besides the ends."""
        if self.protocol == "tcp":
            said = [f"[{self.flag_text}]", f"seq {self.sequence}"]
            if self.flags & ACK:
                said.append(f"ack {self.acknowledgement}")
            if self.options:
                said.append("options " + ",".join(_option_text(*one) for one in self.options))
            if self.payload:
                said.append(f"{len(self.payload)} bytes")
            return " ".join(said)
        if self.icmp:
            return f"icmp {self.icmp}"
        if self.inner is not None:
            return f"{self.protocol} ({str(self.inner).partition(': ')[2]})"
        return f"{self.protocol} {len(self.payload)} bytes"


def endpoint(address: str, port: int) -> str:
    """``10.0.1.1:80``, ``[fd00:1::1]:80``; without the port if it is 0."""
    if not port:
        return address
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _option_text(kind: int, value: bytes) -> str:
    if kind == OPT_MSS:
        return f"mss {int.from_bytes(value, 'big')}"
    names = {
        0: "eol",
        OPT_NOP: "nop",
        3: "wscale",
        4: "sackOK",
        OPT_SACK: "sack",
        OPT_TIMESTAMP: "TS",
    }
    return names.get(kind, f"{kind}:{value.hex()}")


def _options(raw: bytes) -> tuple[tuple[int, bytes], ...]:
    """TCP options, the padding behind the last one included (dpkt stops there)."""
    try:
        return tuple((kind, bytes(value)) for kind, value in dpkt.tcp.parse_opts(raw))
    except (dpkt.Error, IndexError, TypeError, ValueError):
        return ((-1, raw),)


def _pseudo_sum(source: bytes, destination: bytes, protocol: int, segment: bytes) -> bool:
    """Whether the checksum of a segment is right (RFC 1071, with the pseudo header)."""
    if len(source) == 4:
        head = source + destination + bytes((0, protocol)) + len(segment).to_bytes(2, "big")
    else:
        head = source + destination + len(segment).to_bytes(4, "big") + bytes((0, 0, 0, protocol))
    return dpkt.in_cksum(head + segment) in (0, 0xFFFF)


def decode(place: str, frame: int, time: float, data: bytes) -> Packet | None:
    """The IP packet in an Ethernet frame; None for other frames (ARP, LLDP)."""
    try:
        ip = dpkt.ethernet.Ethernet(data).data
    except dpkt.Error:
        return None
    if not isinstance(ip, dpkt.ip.IP | dpkt.ip6.IP6):
        return None
    return _packet(_Seen(place, frame, time, data[6:12].hex(":")), ip, data[14:])


@dataclass(frozen=True)
class _Seen:
    """Where and when a frame was captured, and who sent it."""

    place: str
    frame: int
    time: float
    mac: str


def _packet(seen: _Seen, ip: dpkt.ip.IP | dpkt.ip6.IP6, data: bytes) -> Packet:
    if isinstance(ip, dpkt.ip.IP):
        raw, header = data[: ip.len], ip.hl * 4
        sums = dpkt.in_cksum(raw[:header]) in (0, 0xFFFF)
        first, whole = not ip.offset, not (ip.offset or ip.mf)
        number, ttl = ip.p, ip.ttl
    else:
        raw, header = data[: 40 + ip.plen], 40
        sums, first, whole = True, True, True
        number, ttl = ip.nxt, ip.hlim
    body = bytes(raw[header:])
    layer = _transport(number, body) if first else Transport(f"fragment {number}", payload=body)
    sums = sums and (not whole or _sum_right(layer.protocol, ip.src, ip.dst, number, body))
    carried = ip.data if layer.protocol == "ipip" and isinstance(ip.data, dpkt.ip.IP) else None
    return Packet(
        **vars(seen),
        source=str(ip_address(ip.src)),
        destination=str(ip_address(ip.dst)),
        ttl=ttl,
        length=len(raw),
        sums_right=sums,
        inner=_packet(seen, carried, body) if carried is not None else None,
        **vars(layer),
    )


def _sum_right(protocol: str, source: bytes, destination: bytes, number: int, body: bytes) -> bool:
    if protocol == "icmp":
        return dpkt.in_cksum(body) in (0, 0xFFFF)
    if protocol not in ("tcp", "udp", "icmpv6"):
        return True
    absent = protocol == "udp" and body[6:8] == b"\0\0"
    return absent or _pseudo_sum(source, destination, number, body)


def _transport(number: int, body: bytes) -> Transport:
    """What the transport layer's header says."""
    try:
        if number == dpkt.ip.IP_PROTO_TCP:
            tcp = dpkt.tcp.TCP(body)
            return Transport(
                "tcp",
                source_port=tcp.sport,
                port=tcp.dport,
                sequence=tcp.seq,
                acknowledgement=tcp.ack,
                flags=tcp.flags,
                options=_options(bytes(tcp.opts)),
                payload=bytes(tcp.data),
            )
        if number == dpkt.ip.IP_PROTO_UDP:
            udp = dpkt.udp.UDP(body)
            return Transport("udp", source_port=udp.sport, port=udp.dport, payload=bytes(udp.data))
    except dpkt.Error:
        return Transport(f"broken {number}", payload=body)
    if number in (dpkt.ip.IP_PROTO_ICMP, dpkt.ip.IP_PROTO_ICMP6):
        return _icmp("icmp" if number == dpkt.ip.IP_PROTO_ICMP else "icmpv6", body)
    names = {4: "ipip", 41: "ip6ip", 2: "igmp", 89: "ospf", 112: "vrrp"}
    return Transport(names.get(number, f"ip-{number}"), payload=body)


ICMP_ERRORS = {"icmp": (3, 4, 5, 11, 12), "icmpv6": (1, 2, 3, 4)}


def _icmp(name: str, body: bytes) -> Transport:
    """Type and code, and for errors the ends that they quote (RFC 792, RFC 4443)."""
    if len(body) < 8:
        return Transport(f"broken {name}", payload=body)
    words = f"type {body[0]} code {body[1]}"
    quoted = _quoted(name, body[8:]) if body[0] in ICMP_ERRORS[name] else None
    return Transport(name, payload=body, icmp=words, quoted=quoted)


def _quoted(name: str, inner: bytes) -> Ends | None:
    """Addresses and ports of the packet that an error is about."""
    size = (inner[0] & 15) * 4 if name == "icmp" and inner else 40
    if len(inner) < size + 4:
        return None
    at, width = (12, 4) if name == "icmp" else (8, 16)
    source, destination = inner[at : at + width], inner[at + width : at + 2 * width]
    ports = inner[size : size + 4]
    return (
        str(ip_address(source)),
        int.from_bytes(ports[:2], "big"),
        str(ip_address(destination)),
        int.from_bytes(ports[2:], "big"),
    )
