"""``invoke lab --keep`` and ``--load``: labs that are not stages, because they are for people.

They release the profile's lock as soon as they no longer need it, so that builds can continue.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from builder import shipped
from builder.commands import outputs
from builder.console import put
from builder.errors import SmokeError
from builder.host.paths import shells_folder
from builder.host.removal import remove
from builder.invocation import pasted
from builder.lab import catalogue, judging, laboratory
from builder.lab.hosts.network import Network
from builder.lab.laboratory import Bench
from builder.lab.load import measure
from builder.lab.page import lines, proof
from builder.pipeline.stage import Done
from builder.pipeline.stagename import VM
from builder.report.publish import LAB
from builder.stages import catalogue as all_stages
from builder.stages import lab as stages
from builder.stages.session import Session


@dataclass(frozen=True)
class Kept:
    """A lab for people.

    ``done``: the image and what it is made of.  ``work``: the lab's own folder.  ``leave``:
    releases the profile's lock.
    """

    session: Session
    done: Mapping[str, Done]
    work: Path
    leave: Callable[[], None]

    def under_load(self) -> None:
        """Measure every method, print the table and save it."""
        bench = self._bench()
        self.leave()
        try:
            report = measure.measure(bench, self.session.setting.console.say)
        finally:
            self._sweep()
        measure.save(report, outputs.place(self.session) / LAB / measure.FILE)
        for line in report.lines:
            put(line)
        for name, reason in report.unsupported.items():
            put(f"{name:<10}unsupported: {reason}")

    def keep(self, name: str) -> None:
        """Record and judge one scenario, publish that, and leave its hosts running until Ctrl-C.

        Raises SmokeError if a host does not boot, or dies earlier.
        """
        console, target = self.session.setting.console, self.work / "recording"
        scenario, topology = catalogue.load(name)
        bench = self._bench()
        target.mkdir(parents=True)
        folder = f"{LAB}/{name}"
        try:
            trial = laboratory.LabTrial(scenario, topology, bench, console.say)
            laboratory.record(trial, target, self._linger(bench, target, folder))
        except SmokeError as error:
            outputs.publish_beside(self.session, folder, target, error)
            raise
        finally:
            self.leave()
            self._sweep()

    def _bench(self) -> Bench:
        setting, done = self.session.setting, self.done
        benches = stages.Benches(
            setting, lambda other: all_stages.stages(other, self.session.ledger)
        )
        shells = shells_folder(setting.cache, setting.build.profile)
        return benches.bench(done[VM], done, self.work, shells)

    def _sweep(self) -> None:
        remove(self.work, self.session.setting.cache.scratch)

    def _linger(self, bench: Bench, target: Path, folder: str) -> laboratory.Linger:
        """Publish, print how to reach the hosts, and wait for Ctrl-C."""
        say = self.session.setting.console.say

        async def linger(net: Network) -> None:
            judged = judging.judge(target)
            proof.write(judged, target)
            outputs.publish_beside(self.session, folder, target, None)
            self.leave()
            for line in (*lines.lines(judged.verdict), *_ways_in(bench, net)):
                say(line)
            await _until_stopped(net)

        return linger


async def _until_stopped(net: Network) -> None:
    """Wait for Ctrl-C; raises SmokeError if a host dies earlier."""
    enough = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, enough.set)
    dead = [host.machine.ended for host in net.hosts.values()]
    waiting = asyncio.ensure_future(enough.wait())
    watched: tuple[asyncio.Future[Any], ...] = (waiting, *dead)
    await asyncio.wait(watched, return_when=asyncio.FIRST_COMPLETED)
    for host in net.hosts.values():
        if host.machine.ended.done():
            raise host.death(host.machine.ended.result())


def _ways_in(bench: Bench, net: Network) -> tuple[str, ...]:
    place = next(iter(net.captures))
    shell = f"invoke lab-console {next(iter(net.hosts))} --profile {bench.subject.profile}"
    return (
        "the lab is running; Ctrl-C ends it",
        f"  a shell: {pasted(shell, shipped.folder())}",
        f"           ({', '.join(net.hosts)})",
        f"  a link:  tail -c +1 -f {net.captures[place]} | tshark -l -i -",
        f"           ({', '.join(net.captures)})",
    )
