"""List profiles, flavours, bases, components, stages, scenarios, assertions, configuration."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from builder import names
from builder.place import Place
from builder.profile.build import Build
from builder.stages.request import Request, choose

Row = tuple[str, str]
"""A name, and a line that says what it is."""


def show(what: str, request: Request, place: Place) -> list[str]:
    """The names of a kind, each with a line about it; the kinds if ``what`` is empty.

    Raises UsageError for a kind, profile, flavour or base that does not exist, even if it makes
    no difference, and for a malformed file.
    """
    build = choose(place.project, request)
    if not what:
        return _table((kind, words) for kind, (words, _) in KINDS.items())
    rule = "`invoke show` lists one kind of thing"
    _, rows = KINDS[names.choose("kind", what, KINDS, rule)]
    return _table(rows(build, place))


def _table(rows: Iterable[Row]) -> list[str]:
    listed = list(rows)
    width = max((len(name) for name, _ in listed), default=0)
    return [f"{name:<{width}}  {words}".rstrip() for name, words in listed]


def _profiles(build: Build, place: Place) -> list[Row]:
    from builder.profile.load import available, load  # noqa: PLC0415 - each kind reads its own

    specs = place.project.specs
    return [(name, load(specs, name).summary) for name in available(specs)]


def _flavours(build: Build, place: Place) -> list[Row]:
    from builder.profile.load import load  # noqa: PLC0415

    profile = load(place.project.specs, build.profile)
    return [
        (name, flavour.summary + (" (default)" if name == profile.default_flavour else ""))
        for name, flavour in profile.flavour.items()
    ]


def _bases(build: Build, place: Place) -> list[Row]:
    from builder.base.model import available, load_named  # noqa: PLC0415

    bases = place.project.bases
    return [
        (
            name,
            f"{len(load_named(bases, name).build_packages)} packages to build with"
            + (f" (default of profile {build.profile})" if name == build.default_base else ""),
        )
        for name in available(bases)
    ]


def _components(build: Build, place: Place) -> list[Row]:
    return [
        (name, f"{part.version}-{part.release}: {', '.join(part.packages)}")
        for name, part in build.parts.items()
    ]


def stages(build: Build, place: Place) -> list[Row]:
    from builder.stages.session import open_session  # noqa: PLC0415

    request = Request(build.profile, build.flavour, build.base.name)
    with open_session(request, place, reading=True, build=build) as session:
        return [
            (name, f"needs {', '.join(map(str, stage.needs))}" if stage.needs else "")
            for name, stage in session.stages.items()
        ]


def _scenarios(build: Build, place: Place) -> list[Row]:
    from builder.lab.catalogue import available, load  # noqa: PLC0415

    return [(name, load(name)[0].summary) for name in available()]


def _assertions(build: Build, place: Place) -> list[Row]:
    from builder.lab.oracle.rows import ROWS  # noqa: PLC0415

    return [(name, row.must_hold) for name, row in ROWS.items()]


def _config(build: Build, place: Place) -> list[Row]:
    from builder.configuration.load import load  # noqa: PLC0415

    return [(one.key, f"{one.value} ({one.origin})") for one in load().held]


KINDS: dict[str, tuple[str, Callable[[Build, Place], list[Row]]]] = {
    "profiles": ("what can be built: folders of specs/", _profiles),
    "flavours": ("configurations of a profile's kernel", _flavours),
    "bases": ("distributions to build in: folders of dockerfiles/", _bases),
    "components": ("what becomes RPMs", _components),
    "stages": ("steps of a build, in their order, and what each needs", stages),
    "scenarios": ("experiments of the lab", _scenarios),
    "config": ("this user's configuration: what holds, and where it comes from", _config),
    "assertions": ("what the lab holds captures against", _assertions),
}
