"""``build:X``: a component's prepared tree becomes RPMs."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from builder.engine import require as require_engine
from builder.engine.spec import ContainerSpec
from builder.errors import BuildError
from builder.farm.model import BaseImage
from builder.host.paths import Cache
from builder.host.removal import remove
from builder.pipeline.digest import Input
from builder.pipeline.facts import BuildFacts, CompilerFacts, WorkerFacts
from builder.pipeline.ledger import Entry, Ledger
from builder.pipeline.stage import Done, Stage, Work
from builder.pipeline.stagename import BUILD_ROOT, CHECKS, StageKind
from builder.profile.build import BuildPart
from builder.relay.model import RelayTraffic
from builder.rpm import build
from builder.rpm.compiled import CallCounts
from builder.rpm.tree import RpmTree
from builder.stages import containers, others
from builder.stages.checks import checked
from builder.stages.image import ReadyImage, packages_of
from builder.stages.others import OthersUse
from builder.stages.packaging import Packaging, packaging
from builder.stages.products import RPMS, SRPMS
from builder.stages.setting import Setting

# What was in the compiler's cache when all components had one.
_UNDIVIDED = re.compile(r"[0-9a-f]|tmp|lock|ccache\.conf")
SOURCES = "sources"
# Modules that lay out the home and SOURCES; the files there are inputs by themselves.
MAKERS = ("builder.host.copying", "builder.rpm.tree", "builder.stages.products")


def build_stage(setting: Setting, part: BuildPart, ledger: Ledger, image: ReadyImage) -> Stage:
    """The RPMs and the source RPM of one component."""
    stage_name = StageKind.BUILD.of(part.name)
    manner = packaging(setting, part)
    needs = tuple(StageKind.BUILD.of(need) for need in part.needs)
    objects = setting.build.objects if part.is_kernel else 0
    if part.name in checked(setting.build):
        needs = (CHECKS, *needs)

    def inputs() -> tuple[Input, ...]:
        foreseen = _foreseen(part, manner)
        return (
            *manner.inputs(),
            *containers.inputs(setting, build.container_spec(foreseen, RpmTree(Path("home")))),
            Input("kept", f"{RPMS} {SRPMS}"),
            *setting.code.alone(*MAKERS),
        )

    def run(work: Work) -> None:
        manner.fill(work.scratch / SOURCES, work.needs)
        plan = replace(
            _foreseen(part, manner),
            image=image(work.needs[BUILD_ROOT]),
            spec=manner.spec(work.needs),
            sources=work.scratch / SOURCES,
            prepared=manner.prepared(work.needs),
            needs={need: work.needs[StageKind.BUILD.of(need)].path / RPMS for need in part.needs},
            jobs=setting.jobs(),
            expected=_objects(ledger.last(stage_name)) or objects or None,
            explain=manner.explain,
        )

        timed = _TimedRun(setting, work.scratch)
        made, use = _with_others(
            *(setting, work, image.identity(work.needs[BUILD_ROOT]), plan),
            lambda chosen: build.build(
                chosen, scratch=work.scratch, log=work.log, run=timed, console=setting.console
            ),
        )
        _keep(made.binary, work.output / RPMS)
        _keep(made.source, work.output / SRPMS)
        facts = _facts(made, timed.seconds, use)
        for told in facts.told():
            setting.console.say(f"{stage_name}: {told}")
        work.note(facts)

    needed = (*manner.needs, *needs, BUILD_ROOT)
    return Stage(stage_name, needed, inputs, run, check=require_engine, objects=objects)


@dataclass
class _TimedRun:
    """Runs containers of one stage.  ``seconds``: how long they lived."""

    setting: Setting
    scratch: Path
    seconds: float = 0.0

    def __call__(
        self, spec: ContainerSpec, log: Path, see: Callable[[str], None] | None = None
    ) -> int:
        begun = time.monotonic()
        status = containers.run_container(self.setting, self.scratch, spec, log, see)
        self.seconds += round(time.monotonic() - begun, 2)
        return status


def _foreseen(part: BuildPart, manner: Packaging) -> build.BuildPlan:
    """The container's plan, as far as it is known before anything has run.

    The key is made from it, and the run fills in the rest; a change in what only the run sets would
    not be noticed.
    """
    return build.BuildPlan(
        part=part,
        image="",
        spec="",
        sources=Path("sources"),
        prepared=manner.foreseen,
        ccache=Path("ccache"),
        needs={need: Path("needs", need) for need in part.needs},
        jobs=Path("jobs"),
        expected=None,
        options=manner.options,
    )


def _with_others(
    setting: Setting,
    work: Work,
    image: BaseImage,
    plan: build.BuildPlan,
    make: Callable[[build.BuildPlan], build.Built],
) -> tuple[build.Built, OthersUse]:
    """Build with what other machines offer, and once more if a worker's objects were wrong.

    What other machines have made lies in a folder of its own: a build without them finds none of
    it.  Each component has a compiler cache of its own, because its build can store in it what it
    likes.
    """
    scope, relay = f"{setting.build.profile}.{plan.part.name}", setting.relay()
    workers = setting.workers() if _has_program(work.needs[BUILD_ROOT]) else None
    while True:
        with others.reached(relay, workers, work, scope, image) as (reach, use):
            ccache = _folder(_objects_of(setting.cache, reach), scope)
            try:
                made = make(replace(plan, ccache=ccache, others=reach))
            except BuildError:
                if not use.is_spoilt:
                    raise
            else:
                if not use.is_spoilt:
                    return made, use
        setting.console.say(f"{StageKind.BUILD.of(plan.part.name)}: built again without the worker")
        _discard(setting.cache.ccache_workers)
        for path in list(work.scratch.iterdir()):
            if path.name != SOURCES:
                remove(path, work.scratch)


def _discard(caches: Path) -> None:
    """Remove all objects; the folders stay, because other builds have them mounted."""
    for path in [path for scope in caches.iterdir() for path in scope.iterdir()]:
        remove(path, caches)


def _has_program(root: Done) -> bool:
    """Whether a base has what it needs to use workers."""
    return any(package.name == others.PROGRAM for package in packages_of(root))


def _objects_of(cache: Cache, reach: build.OtherMachines | None) -> Path:
    """Where the compiler caches are of builds that use no more of other machines than this one."""
    if reach is None:
        return cache.ccache
    return cache.ccache_workers if reach.slots.away else cache.ccache_shared


def _facts(made: build.Built, seconds: float, use: OthersUse) -> BuildFacts:
    """What the build has cost, and what compiler caches and workers did."""
    used = made.processors
    workers = tuple(
        WorkerFacts(name, one.jobs, one.failed, one.compared, one.sent, one.received)
        for name, one in sorted(use.farm.workers.items())
    )
    compiler = _compiler_facts(made.calls, use.traffic)
    return BuildFacts(made.objects, seconds, compiler, workers, used.make, used.all)


def _compiler_facts(calls: CallCounts | None, traffic: RelayTraffic) -> CompilerFacts | None:
    if calls is None:
        return None
    counts = (traffic.errors, traffic.received, traffic.sent, traffic.missing)
    return CompilerFacts(calls.local, calls.remote, calls.compiled, *counts)


def _objects(last: Entry | None) -> int | None:
    """How many were compiled the last time, if that is known."""
    return last.facts.objects if last and isinstance(last.facts, BuildFacts) else None


def _folder(caches: Path, scope: str) -> Path:
    caches.mkdir(exist_ok=True)
    caches.chmod(0o700)
    for path in caches.iterdir():
        if _UNDIVIDED.fullmatch(path.name):
            remove(path, caches)
    (caches / scope).mkdir(exist_ok=True)
    return caches / scope


def _keep(files: tuple[Path, ...], target: Path) -> None:
    target.mkdir()
    for path in files:
        path.rename(target / path.name)
