"""Hand-made captures: one HTTP exchange through a FULLNAT director, on every link, both ends.

``Wire`` holds the frames of every link in their order; a test spoils one thing and writes them
down as QEMU would.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import dpkt
import msgspec

from builder.lab import catalogue
from builder.lab.capture import files
from builder.lab.oracle.evidence import ClientAnswer, Evidence, Exchange
from builder.lab.scenario.model import Run, Topology
from builder.lab.series import Fullnat

SERIES = Fullnat(
    local_ports=(5000, 65535),
    sequence="kept",
    timestamp="kept",
    toa_kind=254,
    toa_switches=("toa",),
    port_switches=("low", "high"),
    refusal="no local address",
)
CLIENT, VIP, LOCAL = ("10.0.1.2", 50026), ("10.0.1.1", 80), ("10.0.3.1", 5014)
SERVERS = {"web1": ("10.0.4.2", 8080), "web2": ("10.0.5.2", 8080)}
SYN, ACK, FIN, PSH, RST = 2, 16, 1, 8, 4
ISN, SERVER_ISN = 1000, 900_000_000
MSS = b"\x02\x04\x05\xb4"
TIMESTAMP = b"\x01\x01\x08\x0a" + (7).to_bytes(4, "big") + (0).to_bytes(4, "big")
End = tuple[str, int]


def toa(client: End) -> bytes:
    """Kind, length, port, address."""
    return b"\xfe\x08" + client[1].to_bytes(2, "big") + socket.inet_aton(client[0])


def frame(source: End, target: End, tcp: dpkt.tcp.TCP) -> dpkt.ethernet.Ethernet:
    ip = dpkt.ip.IP(
        src=socket.inet_aton(source[0]),
        dst=socket.inet_aton(target[0]),
        p=dpkt.ip.IP_PROTO_TCP,
        ttl=64,
        data=tcp,
    )
    return dpkt.ethernet.Ethernet(data=ip, type=dpkt.ethernet.ETH_TYPE_IP)


def segment(
    source: End, target: End, flags: int, seq: int, ack: int, payload: bytes, options: bytes
) -> dpkt.ethernet.Ethernet:
    tcp = dpkt.tcp.TCP(
        sport=source[1],
        dport=target[1],
        seq=seq,
        ack=ack,
        flags=flags,
        opts=options,
        off=5 + len(options) // 4,
        data=payload,
    )
    return frame(source, target, tcp)


@dataclass
class Wire:
    """Frames by link, and what the client says.

    ``only``: at one end alone, by place.  ``kept``: how much of its frames a link's captures
    have, in bytes.
    """

    topology: Topology
    frames: dict[str, list[dpkt.ethernet.Ethernet]]
    answers: list[ClientAnswer] = field(default_factory=list)
    exchanges: list[Exchange] = field(default_factory=list)
    only: dict[str, list[dpkt.ethernet.Ethernet]] = field(default_factory=dict)
    counters: dict[str, int] = field(default_factory=dict)
    bad_sums: list[dpkt.ethernet.Ethernet] = field(default_factory=list)
    kept: dict[str, int] = field(default_factory=dict)

    def ip(self, link: str, index: int) -> dpkt.ip.IP:
        return self.frames[link][index].data

    def tcp(self, link: str, index: int) -> dpkt.tcp.TCP:
        return self.ip(link, index).data

    def each(self, change: Callable[[dpkt.ip.IP], None], *links: str) -> None:
        for link in links:
            for one in self.frames[link]:
                change(one.data)

    def evidence(self, run: Run, folder: Path, series: Fullnat = SERIES) -> Evidence:
        """Written as pcap files, and read by the lab's own reader."""
        captures = {}
        for link in self.topology.link:
            for host in self.topology.hosts_on(link):
                place = f"{host}-{link}"
                path = folder / f"{place}.pcap"
                found = self.only.get(place, self.frames.get(link, []))
                write(path, found, self.bad_sums, self.kept.get(link))
                captures[place] = files.read(path, place).packets
        return Evidence(
            run,
            series,
            self.topology,
            tuple(self.exchanges),
            captures,
            captures,
            tuple(self.answers),
            self.counters,
        )


def write(
    path: Path,
    frames: list[dpkt.ethernet.Ethernet],
    bad_sums: list[dpkt.ethernet.Ethernet] | None = None,
    kept: int | None = None,
) -> None:
    """As QEMU does; checksums are made right but for those of ``bad_sums``."""
    with path.open("wb") as stream:
        writer = dpkt.pcap.Writer(stream)
        for number, one in enumerate(frames):
            ip = one.data
            ip.sum = ip.data.sum = 0
            ip.len = len(ip)
            data = bytes(one)
            if any(one is other for other in bad_sums or ()):
                data = data[:50] + bytes((data[50] ^ 1,)) + data[51:]
            if kept is None or len(data) <= kept:
                writer.writepkt(data, ts=1000 + number / 1000)
                continue
            moment = struct.pack("=II", 1000 + number, 0)
            stream.write(moment + struct.pack("=II", kept, len(data)) + data[:kept])


def proof() -> tuple[Run, Topology]:
    """The experiment's run and its topology, as they are shipped."""
    scenario, topology = catalogue.load("fullnat")
    return scenario.run[0], topology


def healthy() -> tuple[Run, Wire]:
    """Two exchanges, with web1 and with web2, as they must be."""
    run, topology = proof()
    traffic = msgspec.structs.replace(run.traffic[0], count=2)
    run = msgspec.structs.replace(run, traffic=(traffic,))
    wire = Wire(topology, {link: [] for link in topology.link})
    for number, server in enumerate(("web1", "web2")):
        exchange = Exchange(f"proof/{number + 1}", traffic, CLIENT[1] + number, CLIENT[0])
        add(wire, exchange, server, number)
    wire.counters = {"connections": 2, "conflicts": 0, "fails": 0}
    return run, wire


def add(wire: Wire, exchange: Exchange, server: str, number: int) -> None:
    client = (CLIENT[0], exchange.port)
    local = (LOCAL[0], LOCAL[1] + number)
    request = f"POST /{exchange.name} HTTP/1.0\r\n\r\n".encode() + bytes(range(256)) * 4
    page = f"HTTP/1.0 200 OK\r\n\r\n{server} sees 10.0.3.1 port {local[1]}\n".encode() * 20
    half = len(request) // 2
    first, second = ISN + 1, ISN + 1 + half
    end, last = ISN + 1 + len(request), SERVER_ISN + 1 + len(page)
    steps: tuple[tuple[bool, int, int, int, bytes, bytes], ...] = (
        (True, SYN, ISN, 0, b"", MSS + TIMESTAMP),
        (False, SYN | ACK, SERVER_ISN, first, b"", MSS + TIMESTAMP),
        (True, ACK, first, SERVER_ISN + 1, b"", TIMESTAMP),
        (True, ACK, first, SERVER_ISN + 1, request[:half], TIMESTAMP),
        (True, ACK | PSH, second, SERVER_ISN + 1, request[half:], TIMESTAMP),
        (False, ACK | PSH, SERVER_ISN + 1, end, page, TIMESTAMP),
        (True, ACK | FIN, end, last, b"", TIMESTAMP),
        (False, ACK | FIN, last, end + 1, b"", TIMESTAMP),
        (True, ACK, end + 1, last + 1, b"", TIMESTAMP),
    )
    for forth, flags, seq, ack, payload, options in steps:
        outer, inner = options, options
        if forth and seq in (ISN, first):
            inner = toa(client) + options
        if not forth and flags & SYN:
            outer = b"\x02\x04" + (1460 - 8).to_bytes(2, "big") + TIMESTAMP
        ends = (client, VIP) if forth else (VIP, client)
        wire.frames["outer"].append(segment(*ends, flags, seq, ack, payload, outer))
        far = SERVERS[server]
        ends = (local, far) if forth else (far, local)
        for link in ("inner", server):
            wire.frames[link].append(segment(*ends, flags, seq, ack, payload, inner))
    wire.exchanges.append(exchange)
    words = f"{server} sees {local[0]} port {local[1]}"
    wire.answers.append(ClientAnswer(exchange.name, True, words))
