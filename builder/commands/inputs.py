"""``invoke fetch`` and ``invoke image``: what builds start from, without a build."""

from __future__ import annotations

from builder.commands import produce
from builder.commands.session import Request, choose
from builder.pipeline.facts import FetchFacts, ImageFacts
from builder.pipeline.stagename import BUILD_ROOT, GUEST_ROOT
from builder.place import Place


def fetch(request: Request, place: Place) -> list[str]:
    """Bring the profile's sources into the cache, verified; a line to print for each.

    A request to ``update`` resolves all of them anew.
    """
    forced = produce.each_source(choose(place.project, request)) if request.update else ()
    done = produce.produce(request, produce.each_source, place, forced=forced)
    facts = {name: stage.facts(FetchFacts) for name, stage in done.items()}
    return [
        f"{name}: {one.sha256} from {f'{one.url} {one.version}'.rstrip()}; "
        f"variant {one.variant}; verified: {one.verified}"
        for name, one in facts.items()
    ]


def bootstrap(request: Request, place: Place, *, refresh: bool) -> list[str]:
    """Make the build image and the virtual machine's root; a line to print for each.

    ``refresh``: from the packages of today, even if nothing has changed.
    """
    stages = (BUILD_ROOT, GUEST_ROOT)
    done = produce.produce(
        request, produce.exactly(*stages), place, forced=stages if refresh else ()
    )
    return [
        f"{name}: {done[name].facts(ImageFacts).packages} packages, {done[name].path}"
        for name in stages
    ]
