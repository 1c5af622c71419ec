"""Drives each method for a fixed time, and reports throughput and cost."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec

from builder import digest
from builder.errors import SmokeError
from builder.lab import catalogue, experiment
from builder.lab.hosts import network
from builder.lab.hosts.host import LabHost
from builder.lab.hosts.network import Network
from builder.lab.laboratory import Bench, Say
from builder.lab.load import cost
from builder.lab.load.cost import Cost
from builder.lab.plan import host as plan
from builder.lab.scenario.model import Run, Scenario, Topology
from builder.lab.scenario.shipped import METHODS
from builder.lab.subject import Subject

FILE = "load.json"
SECONDS = 10
WORKERS = 4
TARGET = ("10.0.1.1", 8080)
BASE = cost.BASE
COUNTED = "the director's instructions, from driver to driver, and their ratio to NAT's:"
WIDTH = 22
USER_HZ = 100
"""Ticks a second of /proc/stat (proc(5)); the same on every x86 kernel."""


class Load(msgspec.Struct, frozen=True):
    """One method.  ``busy_*``: milliseconds of the director's processor, by its own clock."""

    method: str
    connections_per_second: float
    megabytes_per_second: float
    busy_per_connection: float
    busy_per_megabyte: float


class LoadReport(msgspec.Struct, frozen=True):
    """All methods, measured one after the other in one lab; ``costs``: of a director alone."""

    subject: Subject
    kernel_release: str
    accelerator: str
    seconds: int
    loads: tuple[Load, ...]
    unsupported: dict[str, str]
    costs: tuple[Cost, ...]

    @property
    def lines(self) -> tuple[str, ...]:
        """A table with ratios to NAT."""
        base = next(one for one in self.loads if one.method == BASE)
        titles = ("connections/s", "MB/s", "CPU ms/connection", "CPU ms/MB")
        head = f"{'':<10}" + "".join(f"{title:>{WIDTH}}" for title in titles)
        counted = ("", COUNTED, *cost.table(self.costs))
        return (head, *(_line(one, base) for one in self.loads), *counted)


def _line(one: Load, base: Load) -> str:
    pairs = zip(msgspec.structs.astuple(one)[1:], msgspec.structs.astuple(base)[1:], strict=True)
    shown = (f"{value:.2f} ({value / other:.2f})" if other else "-" for value, other in pairs)
    cells = "".join(f"{text:>{WIDTH}}" for text in shown)
    return f"{one.method:<10}{cells}"


def measure(bench: Bench, say: Say) -> LoadReport:
    """Boot the hosts and drive every method that the profile supports.

    Raises SmokeError if a host dies or traffic does not flow.
    """
    return asyncio.run(_measure(bench, say))


async def _measure(bench: Bench, say: Say) -> LoadReport:
    scenario, topology = catalogue.load("methods", METHODS)
    reasons = bench.series.unsupported
    unsupported = {run.name: reasons[run.name] for run in scenario.run if run.name in reasons}
    runs = [run for run in scenario.run if run.name not in unsupported]
    loads, release = await _series(runs, scenario, topology, bench, say)
    say("lab load: the director alone, with its instructions counted")
    costs = await cost.measure(
        bench.images.director, cost.methods(bench.series), bench.folder / "counted"
    )
    if not any(one.method == BASE for one in loads):
        raise SmokeError("there is nothing to compare with", f"no {BASE}", "see [lab.unsupported]")
    return LoadReport(
        bench.subject,
        release,
        f"{bench.accelerator.kind}: {bench.accelerator.why}",
        SECONDS,
        tuple(loads),
        unsupported,
        costs,
    )


async def _series(
    runs: list[Run],
    scenario: Scenario,
    topology: Topology,
    bench: Bench,
    say: Say,
) -> tuple[list[Load], str]:
    """Every method on hosts of their own, and the director's kernel release."""
    async with network.power_on(
        topology,
        bench.images,
        bench.accelerator,
        pace=bench.pace,
        folder=bench.folder,
        shells=bench.shells,
        capture=False,
    ) as net:
        await experiment.configure(scenario, topology, bench.series, net, bench.pace)
        loads: list[Load] = []
        for run in runs:
            loads.append(await _one(run, topology, bench, net))
            say(f"lab load: {run.name}: {loads[-1].connections_per_second:.0f} connections/s")
        return loads, net.one("director", topology).release


async def _one(run: Run, topology: Topology, bench: Bench, net: Network) -> Load:
    director, client = net.one("director", topology), net.one("client", topology)
    # HAProxy of an earlier run would still hold the port
    await director.must("ipvsadm -C", bench.pace.setup)
    for one in run.before:
        await net.hosts[one.host].must(one.run, bench.pace.setup)
    commands = plan.director_commands(run, bench.series) if run.service else ()
    await director.must("\n".join(("set -e", *commands)), bench.pace.setup)
    made, _, busy = await _drive("connections", WORKERS, director, client, bench)
    _, moved, busy_bulk = await _drive("bulk", 2, director, client, bench)
    megabytes = moved / 1e6
    return Load(
        run.name,
        made / SECONDS,
        megabytes / SECONDS,
        busy / made if made else 0.0,
        busy_bulk / megabytes if megabytes else 0.0,
    )


async def _drive(
    kind: str, workers: int, director: LabHost, client: LabHost, bench: Bench
) -> tuple[int, int, float]:
    """Connections, bytes, and milliseconds that the director's processor was busy."""
    before = await _busy(director, bench)
    address, port = TARGET
    script = f"{plan.TRAFFIC} load {kind} {SECONDS} {workers} {address} {port}"
    said = await client.must(script, SECONDS * 4 + bench.pace.traffic)
    count, moved = map(int, said.split())
    return count, moved, await _busy(director, bench) - before


async def _busy(director: LabHost, bench: Bench) -> float:
    """Milliseconds since its boot (proc(5), /proc/stat: all fields but idle and iowait)."""
    said = await director.must("head -n 1 /proc/stat", bench.pace.setup)
    fields = [int(word) for word in said.split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) * 1000 / USER_HZ


def save(report: LoadReport, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(digest.encode(report) + b"\n")
