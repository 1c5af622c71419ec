"""Build what was requested, up to a goal, and publish the results."""

from __future__ import annotations

import time

from builder.colour import Tone
from builder.commands import outputs
from builder.commands.foresight import foresee
from builder.commands.goals import Goals, each_source, everything, exactly, only
from builder.console import put_lines
from builder.invocation import pasted
from builder.pipeline.meanwhile import changed
from builder.pipeline.schedule import with_needs
from builder.pipeline.stage import Done
from builder.pipeline.stagename import REPO, SMOKE, StageKind, is_of, parse
from builder.place import Place
from builder.report.filenames import PAGE
from builder.report.publish import COMPONENTS
from builder.spans import span
from builder.stages.request import Request, choose
from builder.stages.session import Session, open_session

__all__ = ["Goals", "each_source", "everything", "exactly", "only", "produce", "run"]


def run(request: Request, goals: Goals, place: Place) -> None:
    """Settle the goals, or say what that would run."""
    if request.dry:
        put_lines(foresee(request, goals, place))
    else:
        produce(request, goals, place)


def produce(
    request: Request,
    goals: Goals,
    place: Place,
    *,
    forced: tuple[str, ...] = (),
) -> dict[str, Done]:
    """Settle the goals; returns all stages that were needed.

    ``forced``: run these even if nothing has changed.
    """
    build = choose(place.project, request)
    wanted = goals(build)  # refuses unknown names before it waits
    with (
        open_session(request, place, build=build) as session,
        outputs.published_if_failing(session),
    ):
        if _are_published(session, wanted):
            session.schedule.begin = lambda: outputs.begin(session)
            begun = time.monotonic()
            done = outputs.publish_done(session, session.settle(*wanted, forced=forced))
            _tell(session, done, time.monotonic() - begun)
            return done
        return session.settle(*wanted, forced=forced)


def _are_published(session: Session, wanted: tuple[str, ...]) -> bool:
    """Whether outputs of these goals, or of stages that they need, are published."""
    published = {one.stage for one in outputs.publications(session.setting.build)}
    return any(stage.name in published for stage in with_needs(session.stages, wanted))


def _tell(session: Session, done: dict[str, Done], took: float) -> None:
    """Say how much was done, how long it took, where the results are, and what to do next."""
    setting = session.setting
    say, place = setting.console.say, outputs.place(session)
    if REPO not in done:
        alone = [parse(name).subject for name in done if is_of(name, StageKind.BUILD)]
        place = place / COMPONENTS / (alone[0] if len(alone) == 1 else "")
    new = [stage for stage in done.values() if not stage.hit]
    words = _counted(new, len(done), took) if new else "nothing has changed"
    shown = place.relative_to(setting.project.root)
    say(f"{words}; results are in {shown}/", Tone.GOOD)
    if not new:
        return
    meanwhile = tuple(changed(session.stages, done))
    if meanwhile:
        setting.console.warn(
            f"files changed while this ran, and the results are of the old ones: "
            f"{', '.join(meanwhile)}; the same command makes them of the new ones"
        )
    say(f"report: {outputs.place(session).relative_to(setting.project.root)}/{PAGE}")
    if SMOKE in done and setting.build.lab is not None:
        hint = f"invoke lab --profile {setting.build.profile}"
        say(f"next:   {pasted(hint, setting.project.root)} (FULLNAT, proven packet by packet)")


def _counted(new: list[Done], total: int, took: float) -> str:
    """How many stages had something to do, such as ``3 of 23 stages ran in 40 s``."""
    brought = sum(stage.manifest.provenance is not None for stage in new)
    words = f"{len(new) - brought} of {total} stages ran in {span(took)}"
    return f"{words}, {brought} came from the stage store" if brought else words
