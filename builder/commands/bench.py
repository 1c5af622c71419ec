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
from collections.abc import Callable
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
ALONE = ("--no-stage-store", "--no-remote-cache")
LINE = "/* one more line */\n"


def measure(profile: str, flavour: str, place: Place) -> str:
    """Run all measurements; returns a Markdown table.

    It does one cold kernel build and some more builds.  The builder's cost is measured in that
    one run, so that other load on the machine affects both sides.  It is the command's time over
    its container's time.  The processor time that the builder used meanwhile is subtracted from
    the container's time, as if the container had lacked all of it.
    """
    project, cache, console = place.project, place.cache, place.console
    project.require_checkout("bench")
    choose(project, Request(profile, flavour))  # refuses names that do not exist
    bench = Cache(cache.bench / "cache")
    copy = Project(cache.bench / "project")
    with ownership.use(cache, console), ownership.use(bench, console):
        remove(copy.root, cache.bench)
        remove(bench.ccache, bench.root)
        built = folder_of(StageKind.BUILD.of(_largest(profile, project)))
        remove(bench.stages / built, bench.root)
        _copy_project(project, copy)
        _share(cache, bench)
        figures = _measure(profile, flavour, Place(copy, bench, console))
        return startup.table([*figures, *_judging(copy, cache.bench, console)])


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


def _measure(profile: str, flavour: str, place: Place) -> list[Figure]:
    project, cache, console = place.project, place.cache, place.console
    component = _largest(profile, project)
    request = Request(profile, flavour, alone=True, own_objects=True)
    with open_session(request, place) as session:
        prep = StageKind.PREP.of(component)
        done = session.settle(prep, BUILD_ROOT)
        prepared = done[prep].path / TREE
        # The first build imports it into the engine, once for all.
        ReadyImage(session.setting)(done[BUILD_ROOT])
        build = session.setting.build
        ledger = ledger_path(cache, profile, build.flavour, build.base.name)
    console.say(f"cold build of {component}")
    cold = _timed(lambda: _invoke(project, cache, profile, flavour, component))
    bare = _container_seconds(ledger, component) - cold.used / (os.cpu_count() or 1)
    console.say("the same again")
    words = ("build", "--profile", profile, "--flavour", flavour, "--only", component, *ALONE)
    quick = (StartedCommand(words, 2.2), *startup.commands(profile))
    starting = startup.measure(place, quick)
    console.say(f"one line of {CHANGED} changed")
    _change_line(project, prepared, profile, component)
    changed = _timed(lambda: _invoke(project, cache, profile, flavour, component))
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


def _container_seconds(ledger: Path, component: str) -> float:
    last = Ledger(ledger).last(StageKind.BUILD.of(component))
    if last is None or not isinstance(last.facts, BuildFacts):
        raise BuildError("the measured build left no record", str(ledger), "report this")
    return last.facts.container_seconds


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


def _used() -> float:
    """Processor seconds of all children that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _timed(work: Callable[[], None]) -> CommandTiming:
    busy, total = _processor_seconds()
    used, begun = _used(), time.monotonic()
    work()
    took = time.monotonic() - begun
    busy_after, total_after = _processor_seconds()
    share = (busy_after - busy) / max(total_after - total, 0.01)
    return CommandTiming(took, share, _used() - used)


def _invoke(copy: Project, cache: Cache, profile: str, flavour: str, component: str) -> None:
    ended = process.run(
        [
            sys.executable,
            "-m",
            "invoke",
            "build",
            "--profile",
            profile,
            "--flavour",
            flavour,
            "--only",
            component,
            *ALONE,
        ],
        cwd=copy.root,
        env={"LVS_BUILDER_CACHE": str(cache.root)},
    )
    if not ended.ok:
        raise BuildError("a measured build failed", ended.complaint, "build it by hand first")


def _change_line(copy: Project, tree: Path, profile: str, component: str) -> None:
    """Add a patch to the component's series that adds one line to ``CHANGED``."""
    first = (tree / CHANGED).read_text(encoding="utf-8").splitlines(keepends=True)[:3]
    folder = copy.patches / profile / component
    (folder / "bench.patch").write_text(
        "Subject: one more line\n\n"
        f"--- a/{CHANGED}\n+++ b/{CHANGED}\n@@ -1,3 +1,4 @@\n+{LINE}"
        + "".join(f" {line}" for line in first),
        encoding="utf-8",
    )
    with (folder / "series").open("a", encoding="utf-8") as series:
        series.write("bench.patch\n")
