"""``invoke fetch`` and ``invoke image``: the inputs of builds, without a build."""

from __future__ import annotations

from builder.commands import outputs, produce
from builder.commands.foresight import foresee
from builder.errors import UsageError
from builder.host import ci
from builder.pipeline.facts import FetchFacts, ImageFacts
from builder.place import Place
from builder.stages import baselock
from builder.stages.request import Request, choose
from builder.stages.session import open_session


def fetch(request: Request, place: Place) -> list[str]:
    """Download the profile's sources into the cache and verify them; a line to print for each.

    A request with ``update`` resolves all of them again.
    """
    forced = produce.each_source(choose(place.project, request)) if request.update else ()
    if request.dry:
        return foresee(request, produce.each_source, place, forced=forced)
    done = produce.produce(request, produce.each_source, place, forced=forced)
    facts = {name: stage.facts(FetchFacts) for name, stage in done.items()}
    return [
        f"{name}: {one.sha256} from {f'{one.url} {one.version}'.rstrip()}; "
        f"variant {one.variant}; verified: {one.verified}"
        for name, one in facts.items()
    ]


def bootstrap(
    request: Request, place: Place, *, refresh: bool = False, lock: bool = False
) -> list[str]:
    """Make the build image and the virtual machine's root; a line to print for each.

    ``refresh``: from the packages of today, even if nothing has changed.  ``lock``: record their
    packages.
    """
    build = choose(place.project, request)
    if lock:
        _require_lockable(request, baselock.locking(build, "--lock"))
    stages = baselock.STAGES
    if request.dry:
        goals = produce.exactly(*stages)
        return foresee(request, goals, place, forced=stages if refresh else ())
    with open_session(request, place) as session, outputs.published_if_failing(session):
        done = session.settle(*stages, forced=stages if refresh else ())
        lines = [
            f"{name}: {done[name].facts(ImageFacts).packages} packages, {done[name].path}"
            for name in stages
        ]
        return [*lines, *(session.base.write(done.values()) if lock else ())]


def _require_lockable(request: Request, command: str) -> None:
    ci.require_editable("--lock", command)
    if request.hermetic:
        raise UsageError(
            "--lock and --hermetic contradict each other",
            "one takes the packages that are present, the other refuses all but the locked ones",
            f"leave one out: {command}",
        )
