"""``build:X``: a component's prepared tree becomes RPMs."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec.structs import replace

from builder.engine import require as require_engine
from builder.engine.spec import ContainerSpec
from builder.host.removal import remove
from builder.pipeline.digest import Input
from builder.pipeline.facts import BuildFacts, CompilerFacts
from builder.pipeline.ledger import Entry, Ledger
from builder.pipeline.stage import COMPILER_CACHE, Stage, Work
from builder.pipeline.stagename import BUILD_ROOT, CHECKS, StageKind
from builder.profile.build import BuildPart
from builder.relay.model import RelayTraffic
from builder.rpm import build
from builder.rpm.compiled import CallCounts
from builder.rpm.tree import RpmTree
from builder.stages import containers
from builder.stages.checks import checked
from builder.stages.image import ReadyImage
from builder.stages.packaging import Packaging, packaging
from builder.stages.products import RPMS, SRPMS
from builder.stages.setting import Setting

# What was in the compiler's cache when all components had one.
_UNDIVIDED = re.compile(r"[0-9a-f]|tmp|lock|ccache\.conf")
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
        manner.fill(work.scratch / "sources", work.needs)
        plan = replace(
            _foreseen(part, manner),
            image=image(work.needs[BUILD_ROOT]),
            spec=manner.spec(work.needs),
            sources=work.scratch / "sources",
            prepared=manner.prepared(work.needs),
            needs={need: work.needs[StageKind.BUILD.of(need)].path / RPMS for need in part.needs},
            jobs=setting.jobs(),
            expected=_objects(ledger.last(stage_name)) or objects or None,
            explain=manner.explain,
        )

        seconds: list[float] = []

        def run_timed(
            spec: ContainerSpec, log: Path, see: Callable[[str], None] | None = None
        ) -> int:
            begun = time.monotonic()
            status = containers.run_container(setting, work.scratch, spec, log, see)
            seconds.append(round(time.monotonic() - begun, 2))
            return status

        with _compiler_cache(setting, work, plan) as (cached, traffic):
            built = build.build(
                cached, scratch=work.scratch, log=work.log, run=run_timed, console=setting.console
            )
        _keep(built.binary, work.output / RPMS)
        _keep(built.source, work.output / SRPMS)
        facts = BuildFacts(built.objects, sum(seconds), _compiler_facts(built.calls, traffic))
        if facts.compiler and facts.compiler.uses_remote:
            setting.console.say(f"{stage_name}: {facts.compiler}")
        work.note(facts)

    needed = (*manner.needs, *needs, BUILD_ROOT)
    return Stage(stage_name, needed, inputs, run, check=require_engine, objects=objects)


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


@contextmanager
def _compiler_cache(
    setting: Setting, work: Work, plan: build.BuildPlan
) -> Iterator[tuple[build.BuildPlan, RelayTraffic]]:
    """The plan with its compiler cache, and what goes to the team's and comes from it.

    Objects of other machines lie in a folder of their own: a build without them finds none.  Each
    component has a cache of its own, because its build can store in it what it likes.
    """
    relay, cache = setting.relay(), setting.cache
    scope = f"{setting.build.profile}.{plan.part.name}"
    if relay is None:
        yield replace(plan, ccache=_folder(cache.ccache, scope)), RelayTraffic()
        return
    work.owe(COMPILER_CACHE)
    with relay.door(work.scratch / "relay", scope) as (socket, traffic):
        yield replace(plan, ccache=_folder(cache.ccache_shared, scope), relay=socket), traffic


def _compiler_facts(calls: CallCounts | None, traffic: RelayTraffic) -> CompilerFacts | None:
    if calls is None:
        return None
    return CompilerFacts(
        calls.local,
        calls.remote,
        calls.compiled,
        traffic.errors,
        traffic.received,
        traffic.sent,
    )


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
