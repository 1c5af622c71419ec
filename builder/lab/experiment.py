"""Runs a scenario on hosts that are up: configures them, drives traffic, collects evidence."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import TypeVar

from builder.errors import SmokeError
from builder.lab import counters
from builder.lab.hosts import network
from builder.lab.hosts.host import LabHost
from builder.lab.hosts.network import Network, Pace
from builder.lab.oracle.evidence import ClientAnswer, Exchange
from builder.lab.plan import host as plan
from builder.lab.plan.host import Configuration
from builder.lab.scenario.model import Command, Run, Scenario, Topology, Traffic
from builder.lab.series import Fullnat

T = TypeVar("T")
QUIET_SECONDS = 0.4
MARK = "lab run"


@dataclass(frozen=True)
class Performed:
    """A finished run.

    ``before`` and ``after``: the size of each capture's file at that time, in bytes, by
    ``HOST-LINK``.  The rest is as in ``recording.RunRecord``.
    """

    run: Run
    commands: tuple[str, ...]
    exchanges: tuple[Exchange, ...]
    answers: tuple[ClientAnswer, ...]
    before: Mapping[str, int]
    after: Mapping[str, int]
    counters: dict[str, int]
    table: str
    log: str


def exchanges_of(run: Run, topology: Topology) -> tuple[Exchange, ...]:
    """The exchanges that the clients will request, each with a name of its own."""
    found: list[Exchange] = []
    for traffic in run.traffic:
        address = _own_address(topology, traffic)
        for _ in range(traffic.count):
            port = traffic.from_port + len(found)
            found.append(Exchange(f"{run.name}/{len(found) + 1}", traffic, port, address))
    return tuple(found)


def _own_address(topology: Topology, traffic: Traffic) -> str:
    """The client's own address of the same family as the service's."""
    six = ":" in traffic.address
    addresses = topology.host[traffic.host].addresses
    return next(address for address in addresses if (":" in address) == six)


def exchange_word(exchange: Exchange) -> str:
    """An exchange in the form that ``guest/traffic`` reads."""
    one = exchange.traffic
    fields = (exchange.name, one.protocol, one.address, one.port, exchange.port, one.send)
    more = (one.hold, one.options) if one.hold or one.options else ()
    return ",".join(map(str, (*fields, one.receive, *more)))


async def configure(
    scenario: Scenario, topology: Topology, series: Fullnat, net: Network, pace: Pace
) -> tuple[Configuration, ...]:
    """Configure all guests in parallel as the topology's hosts; returns how each was configured."""
    plans = tuple(plan.configuration(scenario, topology, series, name) for name in net.hosts)
    await asyncio.gather(*(net.hosts[one.host].must(one.script, pace.setup) for one in plans))
    await asyncio.gather(
        *(net.hosts[one.host].must(one.waiting, pace.setup) for one in plans if one.wait)
    )
    return plans


async def perform(
    run: Run, topology: Topology, series: Fullnat, net: Network, pace: Pace
) -> Performed:
    """One run, from its configuration until the links are quiet again."""
    directors = [net.hosts[name] for name in topology.with_role("director")]
    commands = plan.director_commands(run, series)
    for one in run.before:
        await net.hosts[one.host].must(one.run, pace.setup)
    mark = f"{MARK} {run.name}"
    script = "\n".join(("set -e", f"echo '{mark}' >/dev/kmsg", *commands))
    await asyncio.gather(*(director.must(script, pace.setup) for director in directors))
    for one in run.prepare:
        await net.hosts[one.host].must(one.run, pace.setup)
    await network.quiet(net, QUIET_SECONDS, pace.traffic)
    director = _alive(directors)
    counted = counters.parse(await director.must(counters.COMMAND, pace.setup))
    before = net.sizes()
    exchanges = exchanges_of(run, topology)
    killing = asyncio.ensure_future(_kill(run, net))
    try:
        answers = await _drive(run, exchanges, net, pace)
        for one in run.during:
            await net.hosts[one.host].must(one.run, pace.traffic)
    finally:
        killing.cancel()
    await network.quiet(net, QUIET_SECONDS, pace.traffic)
    after = net.sizes()
    director = _alive(directors)
    table = await director.must(counters.COMMAND, pace.setup)
    return Performed(
        run,
        commands,
        exchanges,
        answers,
        before,
        after,
        counters.grown(counted, counters.parse(table)),
        table,
        await _log_since(mark, director, pace),
    )


def _alive(directors: list[LabHost]) -> LabHost:
    """The first director that still runs."""
    return next(one for one in directors if not one.machine.ended.done())


async def _kill(run: Run, net: Network) -> None:
    """Take a host's power away in the middle of the traffic."""
    if run.kill is not None:
        await network.busy(net, [one.host for one in run.traffic])
        await asyncio.sleep(run.kill.after)
        os.kill(net.hosts[run.kill.host].machine.pid, signal.SIGKILL)


async def _drive(
    run: Run, exchanges: tuple[Exchange, ...], net: Network, pace: Pace
) -> tuple[ClientAnswer, ...]:
    """What the clients say, in the order of the run's traffic."""
    commands = [(partial(_command, one, net, pace), True) for one in run.beside]
    asked = [(partial(_ask, one, exchanges, net, pace), one.beside) for one in run.traffic]
    return tuple(chain.from_iterable(await staggered((*commands, *asked))))


Job = Callable[[], Coroutine[None, None, T]]


async def staggered(jobs: Sequence[tuple[Job[T], bool]]) -> list[T]:
    """What jobs return, in their order.

    A job begins when those before it have ended, unless they are marked to run beside the others.
    If one fails, those that still run are cancelled.
    """
    running: list[asyncio.Task[T]] = []
    try:
        for job, beside in jobs:
            running.append(asyncio.create_task(job()))
            if not beside:
                await running[-1]
        return await asyncio.gather(*running)
    finally:
        for task in running:
            task.cancel()


async def _command(one: Command, net: Network, pace: Pace) -> list[ClientAnswer]:
    await net.hosts[one.host].must(one.run, pace.traffic)
    return []


async def _ask(
    traffic: Traffic, exchanges: tuple[Exchange, ...], net: Network, pace: Pace
) -> list[ClientAnswer]:
    own = [one for one in exchanges if one.traffic is traffic]
    words = " ".join(exchange_word(one) for one in own)
    limit = pace.traffic + (traffic.seconds + traffic.pause) * traffic.count
    script = f"{plan.TRAFFIC} ask {traffic.seconds}/{traffic.pause} {words}"
    done = await net.hosts[traffic.host].run(script, limit)
    return _answers(done.output, traffic.host)


def _answers(output: str, host: str) -> list[ClientAnswer]:
    answers: list[ClientAnswer] = []
    for line in output.splitlines():
        match line.split(" ", 3):
            case [exchange, "ok", _, words]:
                answers.append(ClientAnswer(exchange, True, words))
            case [exchange, "failed", *rest]:
                answers.append(ClientAnswer(exchange, False, " ".join(rest)))
            case _:
                raise SmokeError(
                    f"{host} does not say what came of its traffic", output.strip(), "a bug"
                )
    return answers


async def _log_since(mark: str, director: LabHost, pace: Pace) -> str:
    log = await director.must("dmesg", pace.setup)
    return log.rpartition(mark)[2].partition("\n")[2]


def elapsed(since: float) -> float:
    return round(time.monotonic() - since, 3)
