"""Whole recordings, made of hand-made captures by the recorder's own functions.

The proof is ``wire.healthy``; behind it in the same captures comes its negative control, which has
no TOA.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import msgspec

from builder.digest import of_text
from builder.lab import catalogue, laboratory
from builder.lab import folder as folders
from builder.lab.capture import files
from builder.lab.experiment import Performed
from builder.lab.oracle.evidence import Exchange
from builder.lab.plan import host as plan
from builder.lab.recording import Recording
from builder.lab.scenario.model import Run
from builder.lab.subject import LabTiming, Subject
from tests.support.lab import wire as hand
from tests.support.lab.wire import SERIES, Wire

TRIED = Subject(
    "lts",
    "vm",
    "debian12",
    of_text("an image"),
    "6.1.1-1.lvs.vm.x86_64",
    {"kernel-lvs-6.1.1-1.lvs.vm.x86_64.rpm": of_text("an RPM")},
)


def make(
    folder: Path,
    *,
    spoil: Callable[[Wire], object] = lambda wire: None,
    subject: Subject = TRIED,
    log: str = "",
    unsupported: dict[str, str] | None = None,
) -> Path:
    """A recording in ``folder``, a new one.  ``spoil``: what is to be wrong with the proof;
    ``unsupported``: what the series cannot do."""
    proof, proven = hand.healthy()
    proof = msgspec.structs.replace(proof, logged=bool(log))
    spoil(proven)
    control, failing = _control(proof)
    scenario, topology = catalogue.load("fullnat")
    scenario = msgspec.structs.replace(scenario, run=(proof, control))
    origin = folder.with_name(f"{folder.name}.raw")
    origin.mkdir(parents=True)
    folder.mkdir()
    begun = _write(proven, origin)
    both = _joined(proven, failing)
    over = _write(both, origin)
    empty = dict.fromkeys(begun, files.HEADER)
    offsets = laboratory.keep_captures(scenario, topology, origin, folder)
    runs = (
        _performed(proof, proven, empty, begun, log),
        _performed(control, failing, begun, over, ""),
    )
    (folder / folders.CONSOLES).mkdir()
    for host in topology.host:
        (folder / folders.CONSOLES / f"{host}.log").write_text(f"{host} login:\n")
    hosts = tuple(plan.configuration(scenario, topology, SERIES, host) for host in topology.host)
    recording = Recording(
        subject,
        scenario,
        topology,
        msgspec.structs.replace(SERIES, unsupported=unsupported or {}),
        1_790_000_000.0,
        accelerator="tcg: no KVM here",
        kernel_release=subject.release,
        memory_mib=1920,
        timing=LabTiming(9.5, 15.0, 20.0),
        hosts=hosts,
        runs=tuple(laboratory.recorded(run, offsets) for run in runs),
    )
    folders.write(recording, folder)
    return folder


def reseal(folder: Path) -> None:
    """Write the seal of what lies there now, as somebody would who wants to be believed."""
    seal = folder / folders.SEAL
    lines = []
    for line in seal.read_text().splitlines():
        path = line.partition("  ")[2]
        lines.append(f"{hashlib.sha256((folder / path).read_bytes()).hexdigest()}  {path}\n")
    seal.write_text("".join(lines))


def _control(proof: Run) -> tuple[Run, Wire]:
    """The same two exchanges with other ports, and without TOA."""
    traffic = msgspec.structs.replace(proof.traffic[0], from_port=hand.CLIENT[1] + 10)
    control = msgspec.structs.replace(
        proof,
        name="toa-off",
        title="TOA switched off",
        traffic=(traffic,),
        rows=("answered", "toa-first"),
        must_fail=("toa-first",),
        only=True,
        toa=False,
        logged=False,
    )
    wire = Wire(catalogue.load("fullnat")[1], {link: [] for link in ("outer", "inner", "web1")})
    wire.frames["web2"] = []
    for number, server in enumerate(("web1", "web2"), 10):
        exchange = Exchange(f"toa-off/{number - 9}", traffic, hand.CLIENT[1] + number, "10.0.1.2")
        hand.add(wire, exchange, server, number)
        for link in ("inner", server):
            for one in wire.frames[link]:
                tcp = one.data.data
                tcp.opts = tcp.opts.removeprefix(hand.toa(("10.0.1.2", exchange.port)))
                tcp.off = 5 + len(tcp.opts) // 4
    wire.counters = {"connections": 2, "conflicts": 0, "fails": 0}
    return control, wire


def _write(wire: Wire, origin: Path) -> dict[str, int]:
    """QEMU's captures so far, and how long they are."""
    sizes: dict[str, int] = {}
    for link in wire.topology.link:
        for host in wire.topology.hosts_on(link):
            path = origin / f"{host}-{link}.pcap"
            found = wire.only.get(path.stem, wire.frames.get(link, []))
            hand.write(path, found, wire.bad_sums, wire.kept.get(link))
            sizes[path.stem] = path.stat().st_size
    return sizes


def _joined(first: Wire, second: Wire) -> Wire:
    links = first.topology.link
    both = {link: first.frames.get(link, []) + second.frames.get(link, []) for link in links}
    only = {
        place: frames + second.frames.get(place.partition("-")[2], [])
        for place, frames in first.only.items()
    }
    return Wire(first.topology, both, only=only, bad_sums=first.bad_sums, kept=first.kept)


def _performed(
    run: Run, wire: Wire, before: dict[str, int], after: dict[str, int], log: str
) -> Performed:
    return Performed(
        run,
        plan.director_commands(run, SERIES),
        tuple(wire.exchanges),
        tuple(wire.answers),
        before,
        after,
        wire.counters,
        "IP Virtual Server version 1.2.1",
        log,
    )
