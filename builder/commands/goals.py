"""The goals of a command, as names of stages; they depend on the profile."""

from __future__ import annotations

from collections.abc import Callable

from builder import names
from builder.pipeline.stagename import SMOKE, StageKind
from builder.profile.build import Build

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
