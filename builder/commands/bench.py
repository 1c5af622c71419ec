"""Measure the builder's own cost, side by side in one run, as ratios.

It uses a cache and a project copy of its own, and the kernel component, which takes longest.
Times are wall seconds.
"""

from __future__ import annotations

import os
import resource
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from builder.commands import judge_speed as speed
from builder.commands import startup
from builder.commands.startup import Figure, StartedCommand
from builder.console import Console
from builder.errors import BuildError, UsageError
from builder.host import ownership, process
from builder.host.paths import Cache, Project
from builder.host.removal import remove
from builder.pipeline.facts import BuildFacts
from builder.pipeline.ledger import Ledger
from builder.pipeline.stagename import BUILD_ROOT, StageKind, folder_of
from builder.place import Place
from builder.profile import load
from builder.stages.image import ReadyImage
from builder.stages.products import TREE
from builder.stages.request import Request, choose
from builder.stages.session import ledger_path, open_session

CHANGED = Path("net/netfilter/ipvs/ip_vs_core.c")
ALONE = ("--no-stage-store", "--no-remote-cache", "--no-workers")
LINE = "/* one more line */\n"


@dataclass(frozen=True)
class Workbench:
    """What measurements work with: a project copy and a cache of their own, in ``folder``.

    ``prepared``: the kernel's tree.  ``ledger``: of what they run.
    """

    profile: str
    flavour: str
    component: str
    place: Place
    folder: Path
    prepared: Path
    ledger: Path

    @property
    def words(self) -> tuple[str, ...]:
        """The command that builds the kernel, without further options."""
        chosen = ("--profile", self.profile, "--flavour", self.flavour)
        return ("build", *chosen, "--only", self.component)

    def build_facts(self) -> BuildFacts:
        """What the last build of the kernel has noted."""
        last = Ledger(self.ledger).last(StageKind.BUILD.of(self.component))
        if last is None or not isinstance(last.facts, BuildFacts):
            raise BuildError("the measured build left no record", str(self.ledger), "report this")
        return last.facts


@contextmanager
def workbench(profile: str, flavour: str, place: Place) -> Iterator[Workbench]:
    """A cache that has the sources, the base and the kernel's prepared tree, but no kernel."""
    project, cache, console = place.project, place.cache, place.console
    project.require_checkout("bench")
    choose(project, Request(profile, flavour))  # refuses names that do not exist
    bench = Cache(cache.bench / "cache")
    copy = Project(cache.bench / "project")
    with ownership.use(cache, console), ownership.use(bench, console):
        remove(copy.root, cache.bench)
        remove(bench.ccache, bench.root)
        component = _largest(profile, project)
        remove(bench.stages / folder_of(StageKind.BUILD.of(component)), bench.root)
        _copy_project(project, copy)
        _share(cache, bench)
        request = Request(profile, flavour, alone=True, own_objects=True, own_compilers=True)
        with open_session(request, Place(copy, bench, console)) as session:
            prep = StageKind.PREP.of(component)
            done = session.settle(prep, BUILD_ROOT)
            prepared = done[prep].path / TREE
            # The first build imports it into the engine, once for all.
            ReadyImage(session.setting)(done[BUILD_ROOT])
            build = session.setting.build
        ledger = ledger_path(bench, profile, build.flavour, build.base.name)
        here = Place(copy, bench, console)
        yield Workbench(profile, build.flavour, component, here, cache.bench, prepared, ledger)


def measure(profile: str, flavour: str, place: Place) -> str:
    """Run all measurements; returns a Markdown table.

    It does one cold kernel build and some more builds.  The builder's cost is measured in that
    one run, so that other load on the machine affects both sides.  It is the command's time over
    its container's time.  The processor time that the builder used meanwhile is subtracted from
    the container's time, as if the container had lacked all of it.
    """
    with workbench(profile, flavour, place) as bench:
        judged = _judging(bench.place.project, bench.folder, place.console)
        return startup.table([*_measure(bench), *judged])


def measure_quickly(profile: str, place: Place) -> str:
    """Measure how quickly commands start, with the builds that exist; return a Markdown table."""
    place.project.require_checkout("bench")
    choose(place.project, Request(profile))  # refuses names that do not exist
    return startup.table(startup.measure(place, startup.commands(profile)))


def _judging(project: Project, folder: Path, console: Console) -> list[Figure]:
    """Captures that were made elsewhere: wall seconds of one process, and its memory."""
    console.say("judging captures")
    large, small = (speed.measure(project, folder, one) for one in (speed.LARGE, speed.SMALL))
    return [
        Figure("1 GB of captures judged, a million packets", f"{large.took:.1f} s", "60 s"),
        Figure("processor seconds of that", f"{large.used:.1f} s", "60 s"),
        Figure("peak memory of that", f"{large.peak:.0f} MB", "300 MB"),
        Figure("packets a second of that", f"{large.rate:.0f}", ""),
        Figure("packets a second, data in 64 bytes", f"{small.rate:.0f}", ""),
    ]


def _measure(bench: Workbench) -> list[Figure]:
    console = bench.place.console
    console.say(f"cold build of {bench.component}")
    cold = _timed(lambda: _invoke(bench))
    bare = bench.build_facts().container_seconds - cold.used / (os.cpu_count() or 1)
    console.say("the same again")
    quick = (StartedCommand((*bench.words, *ALONE), 2.2), *startup.commands(bench.profile))
    starting = startup.measure(bench.place, quick)
    console.say(f"one line of {CHANGED} changed")
    change_line(bench)
    changed = _timed(lambda: _invoke(bench))
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    return [
        Figure("builder over bare commands, cold", f"{cold.took / bare:.3f}", "1.03"),
        Figure("one changed line over cold", f"{changed.took / cold.took:.2f}", "0.2"),
        Figure("processors busy in the cold build", f"{cold.busy:.2f}", "at least 0.9"),
        Figure("peak memory of one process", f"{peak:.0f} MB", "150 MB"),
        Figure("cold build of the kernel", f"{cold.took:.0f} s", f"{os.cpu_count()} processors"),
        *starting,
    ]


@dataclass(frozen=True)
class CommandTiming:
    """The seconds of one measured command.

    ``took``: wall seconds.  ``busy``: the share of all processors that was busy meanwhile.
    ``used``: processor seconds of the command and all its children, except the engine's.
    """

    took: float
    busy: float
    used: float


def _largest(profile: str, project: Project) -> str:
    """The component that has a configuration: the kernel."""
    for name, component in load.load(project.specs, profile).component.items():
        if component.configured:
            return name
    raise UsageError(f"profile {profile} has no kernel to measure", "no configured component", "")


def _copy_project(project: Project, copy: Project) -> None:
    copy.root.mkdir(parents=True)
    shutil.copy(project.root / "tasks.py", copy.root)
    for name in ("builder", "specs", "patches", "dockerfiles"):
        shutil.copytree(
            project.root / name, copy.root / name, ignore=shutil.ignore_patterns("__pycache__")
        )


def _share(cache: Cache, bench: Cache) -> None:
    """Sources, base and pristine trees need not be made again to measure builds."""
    for name in ("blobs", f"stages/{folder_of(BUILD_ROOT)}"):
        origin, target = cache.root / name, bench.root / name
        if origin.is_dir() and not target.is_dir():
            shutil.copytree(origin, target, symlinks=True, copy_function=os.link)


def _processor_seconds() -> tuple[float, float]:
    """Busy and total processor seconds of this machine since boot (proc(5), /proc/stat).

    Processes at a lower priority (nice) only fill the gaps, and count as idle.
    """
    total = Path("/proc/stat").read_text(encoding="utf-8").splitlines()[0]
    fields = [int(word) for word in total.split()[1:9]]
    ticks = os.sysconf("SC_CLK_TCK")
    _, nice, _, idle, waiting, *_ = fields
    return (sum(fields) - nice - idle - waiting) / ticks, sum(fields) / ticks


def used() -> float:
    """Processor seconds of all children that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _timed(work: Callable[[], None]) -> CommandTiming:
    busy, total = _processor_seconds()
    before, begun = used(), time.monotonic()
    work()
    took = time.monotonic() - begun
    busy_after, total_after = _processor_seconds()
    share = (busy_after - busy) / max(total_after - total, 0.01)
    return CommandTiming(took, share, used() - before)


def _invoke(bench: Workbench) -> None:
    run_builder(bench, (*bench.words, *ALONE))


def run_builder(
    bench: Workbench, words: tuple[str, ...], environment: Mapping[str, str] | None = None
) -> None:
    """Run a command of the project copy.  Raises BuildError if it fails."""
    ended = process.run(
        [sys.executable, "-m", "invoke", *words],
        cwd=bench.place.project.root,
        env={"LVS_BUILDER_CACHE": str(bench.place.cache.root), **(environment or {})},
    )
    if not ended.ok:
        raise BuildError("a measured build failed", ended.complaint, "build it by hand first")


def change_line(bench: Workbench) -> None:
    """Add a patch to the kernel's series that adds one line to ``CHANGED``."""
    first = (bench.prepared / CHANGED).read_text(encoding="utf-8").splitlines(keepends=True)[:3]
    folder = bench.place.project.patches / bench.profile / bench.component
    (folder / "bench.patch").write_text(
        "Subject: one more line\n\n"
        f"--- a/{CHANGED}\n+++ b/{CHANGED}\n@@ -1,3 +1,4 @@\n+{LINE}"
        + "".join(f" {line}" for line in first),
        encoding="utf-8",
    )
    with (folder / "series").open("a", encoding="utf-8") as series:
        series.write("bench.patch\n")
