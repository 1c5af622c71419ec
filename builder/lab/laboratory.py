"""Records one scenario, from power-on to the last packet; judging it needs no machine."""

from __future__ import annotations

import asyncio
import bisect
import shutil
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from builder.errors import SmokeError
from builder.lab import experiment
from builder.lab import folder as folders
from builder.lab.capture import files, pcapng
from builder.lab.experiment import Performed
from builder.lab.hosts import network
from builder.lab.hosts.network import Images, Network, Pace
from builder.lab.plan.host import Configuration
from builder.lab.recording import Recording, RunRecord, Span
from builder.lab.scenario.model import Scenario, Topology
from builder.lab.series import Fullnat
from builder.lab.subject import LabTiming, Subject
from builder.lab.verdict import FILE, Verdict, save
from builder.vm.hardware import Accelerator

Say = Callable[[str], None]
Linger = Callable[[Network], Awaitable[None]]
Offsets = dict[str, list[int]]
"""Where each frame's record ends in QEMU's file, in bytes, by ``HOST-LINK``."""


@dataclass(frozen=True)
class Bench:
    """What a scenario is tried on.

    ``folder``: for QEMU's captures and consoles.  ``shells``: for the sockets of the hosts' shells,
    a short path (unix(7) has room for 107 bytes).
    """

    subject: Subject
    companion: Subject | None
    series: Fullnat
    images: Images
    accelerator: Accelerator
    pace: Pace
    folder: Path
    shells: Path


@dataclass(frozen=True)
class LabTrial:
    """A scenario in its topology, and what it is tried on.  ``say``: reports progress."""

    scenario: Scenario
    topology: Topology
    bench: Bench
    say: Say

    def told(self, words: str) -> None:
        self.say(f"lab {self.scenario.name}: {words}")


@dataclass(frozen=True)
class _Course:
    """What was done, and when."""

    moment: float
    timing: LabTiming
    release: str
    hosts: tuple[Configuration, ...]
    runs: tuple[Performed, ...]


def record(trial: LabTrial, target: Path, linger: Linger | None = None) -> None:
    """Boot the hosts, perform every run, and write the recording into ``target``, a new folder.

    ``linger``: awaited after everything is written, while the network still runs.  Raises
    SmokeError for a host that does not boot or dies, and for captures that cannot be read; the
    folder then has a verdict that says so, the consoles, and the captures so far.
    """
    try:
        asyncio.run(_record(trial, target, linger))
    except SmokeError as error:
        if not (target / folders.SEAL).exists():
            _keep_remains(trial, target, error)
        raise


def pass_over(
    scenario: Scenario, topology: Topology, subject: Subject, series: Fullnat, target: Path
) -> None:
    """Write the recording of a scenario that the series does not support; nothing is booted."""
    reason = series.unsupported[scenario.name]
    made = Recording(subject, scenario, topology, series, time.time(), unsupported=reason)
    folders.write(made, target)


async def _record(trial: LabTrial, target: Path, linger: Linger | None) -> None:
    bench = trial.bench
    hosts = ", ".join(trial.topology.host)
    trial.told(f"powering on {hosts} ({bench.accelerator.kind.upper()})")
    moment, began = time.time(), time.monotonic()
    async with network.power_on(
        trial.topology,
        bench.images,
        bench.accelerator,
        pace=bench.pace,
        folder=bench.folder,
        shells=bench.shells,
    ) as net:
        course = await _perform(trial, net, moment, began)
        await asyncio.to_thread(_write, trial, course, target)
        if linger is not None:
            await linger(net)


async def _perform(trial: LabTrial, net: Network, moment: float, began: float) -> _Course:
    scenario, topology, bench = trial.scenario, trial.topology, trial.bench
    booted = experiment.elapsed(began)
    trial.told(f"all hosts are up after {booted:.1f} s")
    hosts = await experiment.configure(scenario, topology, bench.series, net, bench.pace)
    ready = experiment.elapsed(began)
    trial.told(f"configured after {ready:.1f} s")
    runs: list[Performed] = []
    for run in scenario.run:
        runs.append(await experiment.perform(run, topology, bench.series, net, bench.pace))
        trial.told(f"{run.name} done after {experiment.elapsed(began):.1f} s")
    took = LabTiming(booted, round(ready - booted, 3), round(experiment.elapsed(began) - ready, 3))
    release = net.one("director", topology).release
    return _Course(moment, took, release, hosts, tuple(runs))


def _write(trial: LabTrial, course: _Course, target: Path) -> None:
    """The whole folder, its seal last."""
    scenario, topology, bench = trial.scenario, trial.topology, trial.bench
    offsets = keep_captures(scenario, topology, bench.folder / folders.CAPTURES, target)
    shutil.copytree(bench.folder / folders.CONSOLES, target / folders.CONSOLES)
    made = Recording(
        bench.subject,
        scenario,
        topology,
        bench.series,
        course.moment,
        companion=bench.companion,
        accelerator=f"{bench.accelerator.kind}: {bench.accelerator.why}",
        kernel_release=course.release,
        memory_mib=network.MEMORY * len(topology.host),
        timing=course.timing,
        hosts=course.hosts,
        runs=tuple(recorded(run, offsets) for run in course.runs),
    )
    folders.write(made, target)


def recorded(done: Performed, offsets: Offsets) -> RunRecord:
    """A run with its parts of the captures as frame numbers; byte offsets fit only QEMU's files."""
    spans = {
        place: Span(
            bisect.bisect_right(ends, done.before[place]),
            bisect.bisect_right(ends, done.after[place]),
        )
        for place, ends in offsets.items()
    }
    return RunRecord(
        done.run,
        done.commands,
        done.exchanges,
        done.answers,
        spans,
        done.counters,
        done.table,
        done.log,
    )


def names_of(topology: Topology, scenario: Scenario) -> dict[str, str]:
    """Names for Wireshark to show in place of addresses."""
    names = {address: name for name, host in topology.host.items() for address in host.addresses}
    virtual = {service.address for run in scenario.run for service in run.service}
    local = {one for run in scenario.run for service in run.service for one in service.local}
    names |= dict.fromkeys(virtual, "vip")
    names |= {address: f"local-{address.replace(':', '-')}" for address in local - virtual}
    return names


def keep_captures(scenario: Scenario, topology: Topology, origin: Path, target: Path) -> Offsets:
    """Write QEMU's captures in ``origin`` as those of the recording in ``target``.

    Names are added to them, and frames keep their numbers.
    """
    (target / folders.CAPTURES).mkdir()
    names = names_of(topology, scenario)
    offsets: Offsets = {}
    for host, machine in topology.host.items():
        for number, card in enumerate(machine.interface):
            place = f"{host}-{card.link}"
            frames = list(files.frames(origin / f"{place}.pcap"))
            offsets[place] = [frame.offset for frame in frames]
            pcapng.write(
                folders.capture(target, place),
                f"{host}:eth{number}",
                f"link {card.link} ({topology.link[card.link].title}), as {host} has it",
                names,
                frames,
            )
    return offsets


def _keep_remains(trial: LabTrial, target: Path, error: SmokeError) -> None:
    """Keep what an unfinished experiment left; ``error`` then names its log."""
    bench = trial.bench
    for part in (folders.CONSOLES, folders.CAPTURES):
        if any((bench.folder / part).glob("*")):
            shutil.rmtree(target / part, ignore_errors=True)
            shutil.copytree(bench.folder / part, target / part)
    verdict = Verdict(
        trial.scenario.name,
        trial.scenario.summary,
        bench.subject.profile,
        "fail",
        str(error),
        subject=bench.subject,
        companion=bench.companion,
    )
    save(verdict, target / FILE)
    if error.log is not None and error.log.is_relative_to(bench.folder):
        error.log = target / error.log.relative_to(bench.folder)
