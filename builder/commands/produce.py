"""Builds what was asked for, up to a goal, and publishes what came out."""

from __future__ import annotations

import time
from collections.abc import Callable

from builder import names
from builder.colour import Tone
from builder.commands import outputs
from builder.commands.foresight import foresee
from builder.console import put_lines
from builder.invocation import pasted
from builder.pipeline.schedule import with_needs
from builder.pipeline.stage import Done
from builder.pipeline.stagename import REPO, SMOKE, StageKind, is_of, parse
from builder.place import Place
from builder.profile.build import Build
from builder.report.html import PAGE
from builder.report.publish import COMPONENTS
from builder.spans import span
from builder.stages.session import Request, Session, choose, open_session

Goals = Callable[[Build], tuple[str, ...]]


def everything(build: Build) -> tuple[str, ...]:
    """All that there is to build: the smoke test needs the image, which needs the rest."""
    return (SMOKE,)


def only(kind: StageKind, components: tuple[str, ...]) -> Goals:
    """One stage of a kind for each name, for all components if no name is given."""

    def goals(build: Build) -> tuple[str, ...]:
        for component in components:
            names.choose(
                "component",
                component,
                build.parts,
                "--only names tables [component.NAME] of profile.toml, separated by commas",
                of=f"profile {build.profile}",
            )
        chosen = components or tuple(build.parts)
        return tuple(
            kind.of(name)
            for name in chosen
            if kind is StageKind.BUILD or build.parts[name].source is not None
        )

    return goals


def each_source(build: Build) -> tuple[str, ...]:
    return tuple(StageKind.FETCH.of(name) for name in build.sources)


def exactly(*stages: str) -> Goals:
    return lambda build: stages


def run(request: Request, goals: Goals, place: Place) -> None:
    """Settle the goals, or say what that would take."""
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
    """Settle the goals; returns all stages that this took.

    ``forced``: run these even if nothing has changed.
    """
    wanted = goals(choose(place.project, request))  # refuses unknown names before it waits
    with (
        open_session(request, place) as session,
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
    """Whether users get what comes out of these goals."""
    published = {one.stage for one in outputs.publications(session.setting.build)}
    return any(stage.name in published for stage in with_needs(session.stages, wanted))


def _tell(session: Session, done: dict[str, Done], took: float) -> None:
    """Say how much was done, how long it took, where the results are, and what to do next."""
    setting = session.setting
    say, place = setting.console.say, outputs.place(session)
    if REPO not in done:
        alone = [parse(name).subject for name in done if is_of(name, StageKind.BUILD)]
        place = place / COMPONENTS / (alone[0] if len(alone) == 1 else "")
    ran = sum(not stage.hit for stage in done.values())
    words = f"{ran} of {len(done)} stages ran in {span(took)}" if ran else "nothing has changed"
    shown = place.relative_to(setting.project.root)
    say(f"{words}; results are in {shown}/", Tone.GOOD)
    if not ran:
        return
    say(f"report: {outputs.place(session).relative_to(setting.project.root)}/{PAGE}")
    if SMOKE in done and setting.build.lab is not None:
        hint = f"invoke lab --profile {setting.build.profile}"
        say(f"next:   {pasted(hint, setting.project.root)} (FULLNAT, proven packet by packet)")
