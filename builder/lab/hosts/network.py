"""All hosts of a topology: wires between them, captures at every end, and their power."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import math
import socket
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from builder.errors import SmokeError
from builder.lab.capture import files
from builder.lab.hosts.host import PORT, LabHost
from builder.lab.scenario.model import Topology
from builder.vm import initrd, machine
from builder.vm.hardware import Accelerator, Disk, Hardware, Kernel, Nic
from builder.vm.machine import TimeLimits

GUEST = Path(__file__).parents[1] / "guest"
MEMORY = 384
"""MiB of a host."""
FOREVER = TimeLimits(total=math.inf, silence=math.inf)
"""The lab's own commands have limits; a host that waits may be silent."""


@dataclass(frozen=True)
class Pace:
    """How long things may take, in seconds: on an emulated processor all is slower."""

    boot: float
    setup: float
    traffic: float


PACES = {"kvm": Pace(60.0, 30.0, 30.0), "tcg": Pace(240.0, 120.0, 60.0)}


@dataclass(frozen=True)
class Image:
    """What a host boots: a built image, and its kernel without its boot loader."""

    disk: Path
    kernel: Path
    initrd: Path
    command_line: str


@dataclass(frozen=True)
class Images:
    """``director``: the image on trial.  ``others``: the image for all other roles."""

    director: Image
    others: Image

    def of(self, role: str) -> Image:
        return self.director if role == "director" else self.others


@dataclass(frozen=True)
class Network:
    """Hosts that are up.  ``captures``: QEMU's files by ``HOST-LINK``.  ``boot``: seconds."""

    hosts: Mapping[str, LabHost]
    captures: Mapping[str, Path]
    boot: float

    def sizes(self) -> dict[str, int]:
        """The current size of every capture, in bytes."""
        return {place: path.stat().st_size for place, path in self.captures.items()}

    def one(self, role: str, topology: Topology) -> LabHost:
        """The first host with a role."""
        return self.hosts[topology.with_role(role)[0]]


def _wires(topology: Topology, stack: contextlib.ExitStack) -> dict[tuple[str, str], list[int]]:
    """Socket numbers for each host's card on each link.

    More than two hosts on a link are all joined to the first one's card, which has a hub.
    """
    ends: dict[tuple[str, str], list[int]] = {}
    for link in topology.link:
        first, *others = topology.hosts_on(link)
        for other in others:
            pair = socket.socketpair()
            near, far = (stack.enter_context(end) for end in pair)
            ends.setdefault((first, link), []).append(near.fileno())
            ends.setdefault((other, link), []).append(far.fileno())
    return ends


def make_initrd(image: Image, target: Path) -> Path:
    """The image's initial RAM file system with the lab's first program in place of its own."""
    added = initrd.archive(
        (
            initrd.program("init", GUEST / "init"),
            initrd.folder("lab"),
            initrd.program("lab/agent", GUEST / "agent"),
            initrd.program("lab/traffic", GUEST / "traffic"),
        )
    )
    return initrd.joined(image.initrd, added, target)


@contextlib.asynccontextmanager
async def power_on(
    topology: Topology,
    images: Images,
    accelerator: Accelerator,
    *,
    pace: Pace,
    folder: Path,
    shells: Path,
    capture: bool = True,
) -> AsyncIterator[Network]:
    """Boot all hosts; none is left when the block ends.

    ``folder`` gets the captures (``captures/HOST-LINK.pcap``) and consoles (``consoles/HOST.log``),
    ``shells`` a socket for each host's shell.  The sockets and ``shells`` are removed at the end.
    Without ``capture`` nothing is captured.  Raises SmokeError if a host does not boot,
    EnvironmentFailure if QEMU does not run.
    """
    captures, consoles = folder / "captures", folder / "consoles"
    for made in (captures, consoles, shells):
        made.mkdir(parents=True, exist_ok=True)
    starts = {
        image: make_initrd(image, folder / f"initrd{number}.img")
        for number, image in enumerate({images.director, images.others})
    }
    hosts = {name: LabHost(name, consoles / f"{name}.log") for name in topology.host}
    places = _places(topology, captures) if capture else {}
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(_clear, shells, tuple(hosts))
        with contextlib.ExitStack() as sockets:
            wires = _wires(topology, sockets)
            for name, host in hosts.items():
                image = images.of(topology.host[name].role)
                line = f"{image.command_line} lab.host={name}"
                hardware = Hardware(
                    accelerator,
                    (Disk(image.disk, "qcow2", "director"),),
                    kernel=Kernel(image.kernel, starts[image], line),
                    cpus=1,
                    memory=MEMORY,
                    name=name,
                    port=PORT,
                    nics=_nics(topology, name, wires, places),
                    shell=shells / name,
                )
                running = machine.power_on(hardware, FOREVER, console=host.console, hear=host.hear)
                host.attach(await stack.enter_async_context(running))
        # QEMU has its own copies of the wires now
        await asyncio.gather(*(host.ready(pace.boot) for host in hosts.values()))
        _require_captures(places)
        boot = max(host.uptime_ready for host in hosts.values())
        yield Network(hosts, places, boot)


def _clear(shells: Path, names: tuple[str, ...]) -> None:
    """Remove the hosts' sockets, and their folder if nothing else is in it."""
    for name in names:
        (shells / name).unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        shells.rmdir()


def _places(topology: Topology, captures: Path) -> dict[str, Path]:
    """The capture of every host's end of a link, by ``HOST-LINK``."""
    names = [f"{name}-{one.link}" for name, host in topology.host.items() for one in host.interface]
    return {name: captures / f"{name}.pcap" for name in names}


def _nics(
    topology: Topology,
    name: str,
    wires: Mapping[tuple[str, str], Sequence[int]],
    places: Mapping[str, Path],
) -> tuple[Nic, ...]:
    return tuple(
        Nic(
            topology.mac(name, interface.link),
            tuple(wires[name, interface.link]),
            places.get(f"{name}-{interface.link}"),
        )
        for interface in topology.host[name].interface
    )


def _require_captures(places: Mapping[str, Path]) -> None:
    for place, path in places.items():
        if not files.is_running(path):
            raise SmokeError(
                f"the capture of {place} does not run",
                f"{path.name} has no header",
                "QEMU's own words are beside the consoles' logs",
            )


async def quiet(network: Network, seconds: float, limit: float) -> None:
    """Wait until no link has had a packet for ``seconds``, or ``limit`` has passed."""
    before, still = network.sizes(), 0.0
    for _ in itertools.takewhile(lambda tick: tick * 0.1 < limit, itertools.count()):
        await asyncio.sleep(0.1)
        now = network.sizes()
        still = still + 0.1 if now == before else 0.0
        before = now
        if still >= seconds:
            return


BEGUN = 4000
"""Bytes of captures that some exchanges fill, and a minute of routing or VRRP does not."""


async def busy(network: Network, hosts: Iterable[str]) -> None:
    """Wait until one of ``hosts`` has begun its traffic, which takes a while on a busy machine."""
    wanted = tuple(f"{host}-" for host in hosts)
    before = network.sizes()
    while not any(
        size - before[place] > BEGUN
        for place, size in network.sizes().items()
        if place.startswith(wanted)
    ):
        await asyncio.sleep(0.1)
