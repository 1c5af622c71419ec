"""One scenario from power-on to the verdict."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from builder.lab import experiment
from builder.lab.capture import files
from builder.lab.capture.files import Capture
from builder.lab.experiment import RunRecord
from builder.lab.hosts import network
from builder.lab.hosts.network import Images, Network, Pace
from builder.lab.oracle import judge, views
from builder.lab.oracle.evidence import Evidence
from builder.lab.scenario.model import Scenario, Topology
from builder.lab.series import Series
from builder.lab.verdict import Timing, Verdict
from builder.vm.hardware import Accelerator

Say = Callable[[str], None]
Linger = Callable[["Result", Network], Awaitable[None]]


@dataclass(frozen=True)
class Bench:
    """What a scenario is tried on.  ``folder``: for captures and consoles; ``shells``: for
    the sockets of the hosts' shells, a path that is short (unix(7) has room for 107 bytes)."""

    profile: str
    series: Series
    images: Images
    accelerator: Accelerator
    pace: Pace
    folder: Path
    shells: Path


@dataclass(frozen=True)
class Result:
    """The verdict, and what a report shows beside it."""

    verdict: Verdict
    scenario: Scenario
    topology: Topology
    records: tuple[RunRecord, ...]
    evidence: tuple[Evidence, ...]


def try_out(
    scenario: Scenario,
    topology: Topology,
    bench: Bench,
    say: Say,
    linger: Linger | None = None,
) -> Result:
    """Boot the hosts, perform every run, and judge what was captured.

    ``linger``: awaited while the network still runs, when all is judged.  Raises
    SmokeError for a host that does not boot or dies, and for captures that cannot be read.
    """
    return asyncio.run(_try_out(scenario, topology, bench, say, linger))


async def _try_out(
    scenario: Scenario,
    topology: Topology,
    bench: Bench,
    say: Say,
    linger: Linger | None,
) -> Result:
    began = time.monotonic()
    pace = bench.pace
    hosts = ", ".join(topology.host)
    say(f"lab {scenario.name}: powering on {hosts} ({bench.accelerator.kind.upper()})")
    async with network.power_on(
        topology,
        bench.images,
        bench.accelerator,
        pace=pace,
        folder=bench.folder,
        shells=bench.shells,
    ) as net:
        booted = experiment.elapsed(began)
        say(f"lab {scenario.name}: all hosts are up after {booted:.1f} s")
        await experiment.configure(scenario, topology, bench.series, net, pace)
        ready = experiment.elapsed(began)
        say(f"lab {scenario.name}: configured after {ready:.1f} s")
        records: list[RunRecord] = []
        for run in scenario.run:
            records.append(await experiment.perform(run, topology, bench.series, net, pace))
            say(f"lab {scenario.name}: {run.name} done after {experiment.elapsed(began):.1f} s")
        performed = experiment.elapsed(began)
        captures = {place: files.read(path, place) for place, path in net.captures.items()}
        evidence = tuple(_evidence(one, topology, bench.series, captures) for one in records)
        runs = tuple(
            judge.judge(one, experiment.log_complaint(record, bench.series))
            for one, record in zip(evidence, records, strict=True)
        )
        total = experiment.elapsed(began)
        release = net.one("director", topology).release
        verdict = Verdict(
            scenario=scenario.name,
            summary=scenario.summary,
            profile=bench.profile,
            outcome="pass" if all(run.as_expected for run in runs) else "fail",
            complaint="; ".join(f"{run.name}: {run.complaint}" for run in runs if run.complaint),
            kernel_release=release,
            accelerator=f"{bench.accelerator.kind}: {bench.accelerator.why}",
            seconds=total,
            timing=Timing(
                booted,
                round(ready - booted, 3),
                round(performed - ready, 3),
                round(total - performed, 3),
            ),
            memory_mib=network.MEMORY * len(net.hosts),
            runs=runs,
            views=next((found for one in evidence if (found := views.four(one))), ()),
        )
        result = Result(verdict, scenario, topology, tuple(records), evidence)
        if linger is not None:
            await linger(result, net)
    return result


def _evidence(
    record: RunRecord, topology: Topology, series: Series, captures: Mapping[str, Capture]
) -> Evidence:
    return Evidence(
        record.run,
        series,
        topology,
        record.exchanges,
        {
            place: captures[place].between(span.start, span.end)
            for place, span in record.spans.items()
        },
        {place: capture.packets for place, capture in captures.items()},
        record.answers,
        record.counters,
    )
