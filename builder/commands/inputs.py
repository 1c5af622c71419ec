"""``invoke fetch`` and ``invoke image``: what builds start from, without a build."""

from __future__ import annotations

from builder.commands import produce
from builder.commands.session import Request, choose
from builder.console import Console
from builder.host.paths import Cache, Project
from builder.pipeline.facts import FetchFacts, ImageFacts
from builder.pipeline.stagename import BUILD_ROOT, GUEST_ROOT


def fetch(request: Request, *, project: Project, cache: Cache, console: Console) -> list[str]:
    """Bring the profile's sources into the cache, verified; a line to print for each.

    A request to ``update`` resolves all of them anew.
    """
    forced = produce.each_source(choose(project, request)) if request.update else ()
    done = produce.produce(
        request,
        produce.each_source,
        project=project,
        cache=cache,
        console=console,
        forced=forced,
    )
    facts = {name: stage.facts(FetchFacts) for name, stage in done.items()}
    return [
        f"{name}: {one.sha256} from {f'{one.url} {one.version}'.rstrip()}; "
        f"variant {one.variant}; verified: {one.verified}"
        for name, one in facts.items()
    ]


def bootstrap(
    request: Request, *, refresh: bool, project: Project, cache: Cache, console: Console
) -> list[str]:
    """Make the build image and the virtual machine's root; a line to print for each.

    ``refresh``: from the packages of today, even if nothing has changed.
    """
    stages = (BUILD_ROOT, GUEST_ROOT)
    done = produce.produce(
        request,
        produce.exactly(*stages),
        project=project,
        cache=cache,
        console=console,
        forced=stages if refresh else (),
    )
    return [
        f"{name}: {done[name].facts(ImageFacts).packages} packages, {done[name].path}"
        for name in stages
    ]
