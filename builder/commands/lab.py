"""``invoke lab``: tries scenarios on a built profile, and says what came of each."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from builder.console import Console, put
from builder.errors import SmokeError, UsageError
from builder.host import ownership
from builder.host.paths import Cache, Project, find_project, runtime_folder
from builder.host.removal import remove
from builder.invocation import pasted
from builder.lab import catalogue, laboratory
from builder.lab.hosts.network import PACES, Image, Images, Network
from builder.lab.laboratory import Bench, Linger, Result
from builder.lab.load import measure
from builder.lab.page.html import PAGE
from builder.lab.scenario.model import Scenario, Topology
from builder.lab.series import Series
from builder.lab.verdict import FILE, Outcome, Verdict
from builder.pipeline import run as runs
from builder.profile import load as profiles
from builder.report import lab as publishing
from builder.report import publish
from builder.stages.accelerator import accelerator
from builder.vm import sandbox
from builder.vm.hardware import Accelerator

IMAGE_FILES = ("director.qcow2", "vmlinuz", "initrd.img", "cmdline")


@dataclass(frozen=True)
class Request:
    """What is to be tried: no names mean every scenario.  ``keep``: hosts go on running.
    ``load``: not proof but ratios, of what goes through each method."""

    profile: str
    names: tuple[str, ...] = ()
    keep: bool = False
    load: bool = False


def shells_folder(project: Project, profile: str) -> Path:
    """Where the sockets of the hosts' shells are; raises UsageError for no profile's name."""
    return runtime_folder(f"lab-{profiles.find(project.specs, profile)}")


def _series(project: Project, name: str) -> Series:
    profile = profiles.load(project.specs, name)
    if profile.lab is None:
        raise UsageError(
            f"profile {name} has no table [lab]",
            "nothing says what its FULLNAT looks like on the wire",
            "see docs/lab.md",
        )
    return profile.lab


def built_image(project: Project, profile: str) -> Image:
    """The image that `invoke build` made.

    Raises UsageError if there is none, VerificationError if it has changed since.
    """
    folder = project.artifacts(profile) / "vm"
    missing = [name for name in IMAGE_FILES if not (folder / name).is_file()]
    if missing:
        raise UsageError(
            f"profile {profile} has no disk image to try",
            f"{folder.relative_to(project.root)}/{missing[0]} does not exist",
            f"build it first: invoke build --profile {profile}",
        )
    publish.require(folder.parent, folder.name)
    disk, kernel, initrd, line = (folder / name for name in IMAGE_FILES)
    return Image(disk, kernel, initrd, f"{line.read_text(encoding='utf-8').strip()} quiet")


@dataclass(frozen=True)
class Trial:
    """What all scenarios of one command have in common."""

    request: Request
    series: Series
    images: Images
    accelerator: Accelerator
    work: Path
    target: Path
    shells: Path
    console: Console

    def of(self, scenario: Scenario, topology: Topology) -> Verdict:
        """Try one and publish what came of it; raises SmokeError if there is no verdict."""
        target = self.target / scenario.name
        reason = self.series.unsupported.get(scenario.name, "")
        if reason:
            verdict = self._without_trial(scenario, "unsupported", reason)
            publishing.publish_verdict(verdict, target)
            self.console.say(f"lab {scenario.name}: unsupported: {reason}")
            return verdict
        bench = self._bench(scenario.name)
        folder = bench.folder
        keeper = _keeper(self.series, bench, target, self.console) if self.request.keep else None
        try:
            result = laboratory.try_out(scenario, topology, bench, self.console.say, keeper)
        except SmokeError as error:
            verdict = self._without_trial(scenario, "fail", str(error))
            publishing.publish_failure(verdict, error, folder, target)
            raise
        if keeper is None:
            publishing.publish(result, self.series, folder, target)
            tell(result.verdict, self.console.say)
        remove(folder, self.work)
        return result.verdict

    def under_load(self) -> None:
        """Measure every method, print the table and keep it."""
        report = measure.measure(self._bench("load"), self.console.say)
        measure.save(report, self.target / measure.FILE)
        for line in report.lines:
            put(line)
        for name, reason in report.unsupported.items():
            put(f"{name:<10}unsupported: {reason}")

    def _bench(self, name: str) -> Bench:
        profile = self.request.profile
        return Bench(
            profile,
            self.series,
            self.images,
            self.accelerator,
            PACES[self.accelerator.kind],
            self.work / name,
            self.shells,
        )

    def _without_trial(self, scenario: Scenario, outcome: Outcome, complaint: str) -> Verdict:
        return Verdict(scenario.name, scenario.summary, self.request.profile, outcome, complaint)


def built_images(project: Project, profile: str, series: Series) -> Images:
    """What directors and other hosts boot; raises UsageError if one was not built."""
    director = built_image(project, profile)
    companion = series.companion and profiles.find(project.specs, series.companion)
    others = built_image(project, companion) if companion else director
    return Images(director, others)


def run(request: Request, *, project: Project, cache: Cache, console: Console) -> None:
    """Try the scenarios one after the other.

    Raises SmokeError when all are done if one of them is not proven, UsageError for what
    cannot be tried at all.
    """
    profiles.find(project.specs, request.profile)
    loaded = [catalogue.load(name) for name in request.names or catalogue.available()]
    series = _series(project, request.profile)
    if request.keep and len(loaded) != 1:
        raise UsageError(
            "only one lab can be kept running",
            f"{len(loaded)} scenarios were asked for",
            "name one: invoke lab --keep --scenario fullnat",
        )
    target = project.artifacts(request.profile) / "lab"
    shells = shells_folder(project, request.profile)
    with _work_folder(cache, project, request.profile, console) as work:
        # Not before nobody can take them away any more.
        images = built_images(project, request.profile, series)
        if publish.is_earlier(project.artifacts(request.profile), "vm"):
            console.say("lab: the last build made no image; this one is of an earlier build")
        way = accelerator(cache, work / "probe", images.others.kernel)
        if way.kind == "tcg":
            times = PACES["tcg"].boot / PACES["kvm"].boot
            reason = way.why.splitlines()[0]
            console.say(f"lab: without KVM, so time limits are {times:.0f} times as long: {reason}")
        if warning := sandbox.warning():
            console.say(f"lab: {warning}")
        trial = Trial(request, series, images, way, work, target, shells, console)
        try:
            if request.load:
                trial.under_load()
                return
            verdicts = [trial.of(scenario, topology) for scenario, topology in loaded]
        finally:
            remove(work, cache.scratch)
    _judge(verdicts, target)


@contextmanager
def _work_folder(cache: Cache, project: Project, profile: str, console: Console) -> Iterator[Path]:
    """The folder of this lab, the only one of its profile; what killed labs left is removed."""
    name = f"{runs.LAB}{runs.new_name()}"
    with (
        ownership.use(cache, console),
        runs.lab_alone(cache, project, profile, console),
        runs.owned(cache, profile, name, console) as folder,
    ):
        runs.sweep(cache, profile, runs.LAB)
        yield folder


def tell(verdict: Verdict, say: Callable[[str], None]) -> None:
    """The document's four views, each run's outcome, and the verdict."""
    for number, view in enumerate(verdict.views, 1):
        say(f"  ({number}) {view.title:<20} {view.ends:<44} {view.capture} #{view.frame}")
    for run in verdict.runs:
        passed = sum(row.outcome == "pass" for row in run.rows)
        failed = [row.name for row in run.rows if row.outcome == "fail"]
        words = f"{passed} of {len(run.rows)} rows hold"
        if run.control:
            words = f"negative control, fails {', '.join(failed) or 'nothing'}"
        say(f"  {'ok ' if run.as_expected else 'BAD'} {run.name}: {run.complaint or words}")
    say(f"lab {verdict.scenario}: {verdict.outcome} after {verdict.seconds:.1f} s from power-on")


def _keeper(series: Series, bench: Bench, target: Path, console: Console) -> Linger:
    """Publishes, says how to look around, and waits for Ctrl-C."""

    async def linger(result: Result, net: Network) -> None:
        publishing.publish(result, series, bench.folder, target)
        tell(result.verdict, console.say)
        for line in _ways_in(bench, net):
            console.say(line)
        enough = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, enough.set)
        dead = [host.machine.ended for host in net.hosts.values()]
        waiting = asyncio.ensure_future(enough.wait())
        watched: tuple[asyncio.Future[Any], ...] = (waiting, *dead)
        await asyncio.wait(watched, return_when=asyncio.FIRST_COMPLETED)
        for host in net.hosts.values():
            if host.machine.ended.done():
                raise host.death(host.machine.ended.result())

    return linger


def _ways_in(bench: Bench, net: Network) -> tuple[str, ...]:
    place = next(iter(net.captures))
    shell = f"invoke lab-console {next(iter(net.hosts))} --profile {bench.profile}"
    return (
        "the lab goes on; Ctrl-C ends it",
        f"  a shell: {pasted(shell, find_project().root)}",
        f"           ({', '.join(net.hosts)})",
        f"  a link:  tail -c +1 -f {net.captures[place]} | tshark -l -i -",
        f"           ({', '.join(net.captures)})",
    )


def _judge(verdicts: list[Verdict], target: Path) -> None:
    bad = [verdict for verdict in verdicts if verdict.outcome == "fail"]
    if bad:
        first = bad[0]
        raise SmokeError(
            f"not proven: {', '.join(verdict.scenario for verdict in bad)}",
            "\n".join(f"{verdict.scenario}: {verdict.complaint}" for verdict in bad),
            f"read {target / first.scenario / PAGE}",
            log=target / first.scenario / FILE,
        )
