"""What a packet costs the director, in instructions: counted, not sampled.

Its image is booted alone, on a processor whose clock counts instructions (qemu(1), -icount).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from builder.errors import BuildError, SmokeError
from builder.host import process
from builder.lab.hosts import network
from builder.lab.hosts.host import PORT, LabHost
from builder.lab.hosts.network import FOREVER, Image
from builder.lab.series import Fullnat
from builder.vm import initrd, machine
from builder.vm.hardware import INSTRUCTION_NS, Accelerator, Disk, Hardware, Kernel

SOURCE = Path(__file__).with_name("packet-cost.c")
TCG = Accelerator("tcg", "it alone counts instructions", 0.0)
BOOT_SECONDS = 240.0
METHOD_SECONDS = 900.0
BASE = "nat"
VIP, SERVER, LOCAL = "10.0.0.1", "10.1.0.2", "10.1.0.1"
PREPARE = """\
modprobe -a tun ip_vs ip_vs_rr
sysctl -qw net.ipv6.conf.default.disable_ipv6=1 # nothing is sent but what is measured
sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0
"""
# Every method begins without a connection, and with the settings of a new module.
AFRESH = """\
ipvsadm -C
modprobe -r ip_vs_rr ip_vs
modprobe -a ip_vs ip_vs_rr
"""
SERVICE = f"ipvsadm -A -t {VIP}:80 -s rr\n"
NAT = f"{SERVICE}ipvsadm -a -t {VIP}:80 -r {SERVER}:8080 -m\n"
FULLNAT = (
    f"{SERVICE}ipvsadm -P -t {VIP}:80 -z {LOCAL}\nipvsadm -a -t {VIP}:80 -r {SERVER}:8080 -b\n"
)
# As many connections as are opened, however small the guest's memory is.
ROOM = "sysctl -qw net.netfilter.nf_conntrack_max=100000\n"
MASQUERADE = (
    f"{ROOM}sysctl -qw net.ipv4.vs.conntrack=1\n"
    "nft 'table ip cost { chain post { type nat hook postrouting priority srcnat;"
    f" ip daddr {SERVER} masquerade; }}; }}'\n"
)
SAMPLES, FEW = 10_000, 41
FIRST, PORTS = 20_000, 1000


Way = Literal["routed", "translated", "proxied"]


@dataclass(frozen=True)
class CostMethod:
    """A way for packets through the director.

    ``way``: ``routed`` to the server itself, ``translated``, or ``proxied``: the director completes
    the client's handshake before it has one with the server.  ``fill``: how many connections are
    opened first, so that a single port is left.  ``flood``: how many SYNs come first, which nobody
    answers; all that follow are such SYNs, too.
    """

    name: str
    setup: str
    samples: int
    way: Way = "translated"
    fill: int = 0
    flood: int = 0


def methods(series: Fullnat, samples: int = SAMPLES) -> tuple[CostMethod, ...]:
    """NAT, which is the baseline, routing without IPVS, FULLNAT's variants, and what else is used.

    ``nat-snat`` is NAT with conntrack's source NAT behind it, ``synproxy`` FULLNAT with netfilter's
    SYNPROXY in front.  In a flood, every SYN takes the port of the oldest half-open connection.
    """
    toa = "".join(f"sysctl -qw {name}=0\n" for name in series.toa_switches)
    low, high = series.port_switches
    ports = f"sysctl -qw {low}={FIRST} {high}={FIRST + PORTS - 1}\n"
    wanted = [
        CostMethod("nat", NAT, samples=samples),
        CostMethod("route", "", samples=samples, way="routed"),
        CostMethod("fullnat", FULLNAT, samples=samples),
        CostMethod("toa-off", FULLNAT + toa, samples=samples),
        CostMethod("nat-flood", NAT, samples=samples, flood=PORTS),
        CostMethod("flood", FULLNAT + ports, samples=samples, flood=PORTS),
        CostMethod("one-port", FULLNAT + ports, samples=FEW, fill=PORTS - 1),
    ]
    # Last: they leave rules of nftables and settings of conntrack behind.
    if "nat-snat" not in series.unsupported:
        wanted.append(CostMethod("nat-snat", NAT + MASQUERADE, samples=samples))
    if series.synproxy:
        setup = f"nft flush ruleset\n{FULLNAT}{ROOM}{series.synproxy} add {VIP}:80\n"
        wanted.append(CostMethod("synproxy", setup, samples=samples, way="proxied"))
    return tuple(wanted)


class Cost(msgspec.Struct, frozen=True):
    """Instructions of one kind of packet: ``usual`` is the lower quartile of ``samples``.

    Interrupts and other kernel work add to some of the packets.
    """

    method: str
    kind: str
    samples: int
    usual: int
    least: int
    most: int


async def measure(image: Image, wanted: tuple[CostMethod, ...], folder: Path) -> tuple[Cost, ...]:
    """Every method's costs, measured in one guest, one after the other; ``folder`` is new.

    Raises SmokeError if the guest dies or a packet does not come through.
    """
    folder.mkdir(parents=True)
    host = LabHost("director", folder / "console.log")
    kernel = Kernel(image.kernel, _initrd(image, folder), f"{image.command_line} lab.host=director")
    hardware = Hardware(
        TCG,
        (Disk(image.disk, "qcow2", "director"),),
        kernel=kernel,
        cpus=1,
        memory=network.MEMORY,
        port=PORT,
        counted=True,
    )
    async with machine.power_on(hardware, FOREVER, console=host.console, hear=host.hear) as running:
        host.attach(running)
        await host.ready(BOOT_SECONDS)
        await host.must(PREPARE, BOOT_SECONDS)
        found: list[Cost] = []
        for method in wanted:
            found += await _one(method, host)
        return tuple(found)


async def _one(method: CostMethod, host: LabHost) -> list[Cost]:
    target = SERVER if method.way == "routed" else VIP
    run = (
        f"/run/lab/packet-cost {method.samples} {target} {method.way} {method.fill} {method.flood}"
    )
    said = await host.must(f"set -e\n{AFRESH}{method.setup}\n{run}", METHOD_SECONDS)
    lines = [line.split() for line in said.splitlines()]
    if not lines or any(len(words) != 5 for words in lines):
        raise SmokeError(f"packet-cost of {method.name} said what it should not", said, run)
    return [_cost(method.name, *words) for words in lines]


def _cost(method: str, kind: str, samples: str, *nanoseconds: str) -> Cost:
    """The guest's time stamp counter runs by QEMU's clock, which runs by instructions."""
    usual, least, most = (int(word) // INSTRUCTION_NS for word in nanoseconds)
    return Cost(method, kind, int(samples), usual, least, most)


def _initrd(image: Image, folder: Path) -> Path:
    """The lab's, with the program that measures."""
    program = folder / "packet-cost"
    compiler = process.require_tool("gcc", "to count the director's instructions")
    ended = process.run(
        [compiler, "-O2", "-static", "-Wall", "-Wextra", "-Werror", "-o", program, SOURCE]
    )
    if not ended.ok:
        raise BuildError("packet-cost does not compile", ended.complaint, f"see {SOURCE}")
    lab = network.make_initrd(image, folder / "lab.img")
    added = initrd.archive((initrd.program("lab/packet-cost", program),))
    return initrd.joined(lab, added, folder / "initrd.img")


def table(costs: tuple[Cost, ...], base: str = BASE) -> tuple[str, ...]:
    """A line for each method; each figure with its ratio to that of ``base``."""
    kinds = tuple(dict.fromkeys(cost.kind for cost in costs))
    known = {(cost.method, cost.kind): cost.usual for cost in costs}
    head = f"{'':<10}" + "".join(f"{kind:>20}" for kind in kinds)
    return (head, *(_line(name, kinds, known, base) for name in _methods(costs)))


def _methods(costs: tuple[Cost, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(cost.method for cost in costs))


def _line(method: str, kinds: tuple[str, ...], known: dict[tuple[str, str], int], base: str) -> str:
    cells = []
    for kind in kinds:
        one, other = known.get((method, kind)), known.get((base, kind))
        cells.append(f"{one} ({one / other:.3f})" if one and other else str(one or "-"))
    return f"{method:<10}" + "".join(f"{cell:>20}" for cell in cells)
