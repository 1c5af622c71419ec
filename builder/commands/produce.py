"""Builds what was asked for, up to a goal, and publishes what came out."""

from __future__ import annotations

from collections.abc import Callable

from builder import names
from builder.commands.session import Request, Session, choose, open_session
from builder.console import Console
from builder.host.paths import Cache, Project
from builder.pipeline.stage import Done
from builder.profile.model import Profile
from builder.report import html, publish
from builder.report.publish import Publication

PUBLICATIONS = (
    Publication("repo", "repo"),
    Publication("vm", "vm"),
    Publication("smoke", "smoke"),
)

Goals = Callable[[Profile], tuple[str, ...]]


def everything(profile: Profile) -> tuple[str, ...]:
    """All that a profile has: the smoke test needs the image, which needs the rest."""
    return ("smoke",)


def only(prefix: str, components: tuple[str, ...]) -> Goals:
    """One stage of a kind for each name, for all components if no name is given."""

    def goals(profile: Profile) -> tuple[str, ...]:
        for component in components:
            names.choose(
                "component",
                component,
                profile.component,
                "--only names tables [component.NAME] of profile.toml, separated by commas",
                of=f"profile {profile.name}",
            )
        chosen = components or tuple(profile.component)
        return tuple(
            f"{prefix}:{name}"
            for name in chosen
            if prefix == "build" or profile.component[name].source
        )

    return goals


def each_source(profile: Profile) -> tuple[str, ...]:
    return tuple(f"fetch:{name}" for name in profile.source)


def exactly(*stages: str) -> Goals:
    return lambda profile: stages


def produce(
    request: Request,
    goals: Goals,
    *,
    project: Project,
    cache: Cache,
    console: Console,
    forced: tuple[str, ...] = (),
) -> dict[str, Done]:
    """Settle the goals; returns all stages that this took.

    ``forced``: run these even if nothing has changed.
    """
    wanted = goals(choose(project, request)[0])  # refuses unknown names before it waits
    with open_session(request, project=project, cache=cache, console=console) as session:
        done = session.settle(*wanted, forced=forced)
        return _publish(session, done, project, console)


def _publish(
    session: Session, done: dict[str, Done], project: Project, console: Console
) -> dict[str, Done]:
    """Publish what was settled; returns it, with what had to be made anew for that."""
    setting = session.setting
    if not any(publication.stage in done for publication in PUBLICATIONS):
        return done
    target = project.artifacts(setting.profile.name)
    stale = publish.stale(target, PUBLICATIONS, done)
    for fault in filter(None, stale.values()):
        console.say(f"{target.relative_to(project.root)}: {fault}; it is published again")
    if stale:
        done = session.settle(*done, read=tuple(stale))
    record = publish.publish(
        target,
        PUBLICATIONS,
        done,
        stale,
        profile=setting.profile.name,
        flavour=setting.flavour_name,
        base=setting.base,
    )
    html.write(target, record)
    ran = [name for name, stage in done.items() if not stage.hit]
    shown = target.relative_to(project.root)
    if ran:
        console.say(f"{len(ran)} of {len(done)} stages ran; results are in {shown}/")
    else:
        console.say(f"nothing has changed; results are in {shown}/")
    return done
