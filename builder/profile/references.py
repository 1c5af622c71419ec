"""What a profile names outside of its own folder: bases, folders of patches, patches, scenarios.

Every complaint names file and line of profile.toml, and the most similar name there is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

import msgspec

from builder import names, toml
from builder import text as texts
from builder.base.model import available as available_bases
from builder.errors import UsageError
from builder.host.paths import Project
from builder.lab.scenario.shipped import METHODS
from builder.lab.scenario.shipped import available as available_scenarios
from builder.profile.load import FILE_NAME, available
from builder.profile.model import Component, Profile


class Reference(msgspec.Struct, frozen=True):
    """A name in profile.toml.  ``place``: its key.  ``words``: who names what.

    ``known``: the names that there are.  ``lack``: what an unknown one is not.  ``kind``: of the
    known names.
    """

    place: str
    words: str
    name: str
    known: Collection[str]
    lack: str
    kind: str


def require(project: Project, profile: Profile) -> None:
    """Raise UsageError, with file and line, for a name that nothing has.

    The profile's own base and its companion are left to ``base_of`` and ``companion_of``: a command
    may use neither.
    """
    for one in _references(project, profile):
        _required(project, profile.name, one)


def of_lab(project: Project, profile: Profile) -> Iterator[UsageError]:
    """An error for each unknown name in the table ``lab.unsupported``."""
    for one in _unsupported(profile):
        if one.name not in one.known:
            yield _refusal(project, profile.name, one)


def base_of(project: Project, profile: Profile) -> str:
    """The profile's base.  Raises UsageError, with file and line, if there is none of that name."""
    return _required(project, profile.name, _of_base(project, "base", "base", profile.base))


def companion_of(project: Project, profile: str, companion: str) -> str:
    """The companion that the profile of that name has.  Raises as ``base_of``."""
    lack, known = "which does not exist", available(project.specs)
    named = Reference("lab.companion", "companion", companion, known, lack, "profiles")
    return _required(project, profile, named)


def _required(project: Project, profile: str, one: Reference) -> str:
    if one.name not in one.known:
        raise _refusal(project, profile, one)
    return one.name


def _refusal(project: Project, profile: str, one: Reference) -> UsageError:
    """The error for a name that nothing has."""
    path = project.specs / profile / FILE_NAME
    near = names.nearest(one.name, one.known)
    return toml.refuse(
        path,
        toml.line_of(texts.read(path), one.place),
        f"{one.words} names {names.shown(one.name)}, {one.lack}{near}",
        f"{one.kind}: {', '.join(sorted(one.known)) or 'none'}",
    )


def _references(project: Project, profile: Profile) -> Iterator[Reference]:
    patches = project.patches / profile.name
    for component in profile.component.values():
        yield from _bases(project, component)
        yield from _series(patches, component)
        yield from _fixes(patches, component)
    yield from _packages(profile)
    yield from _unsupported(profile)


def _of_base(project: Project, place: str, words: str, name: str) -> Reference:
    lack = "which is not a folder of dockerfiles/"
    return Reference(place, words, name, available_bases(project.bases), lack, "bases")


def _bases(project: Project, component: Component) -> Iterator[Reference]:
    place = f"component.{component.name}"
    amended = component.vendor.base if component.vendor is not None else {}
    named = (
        *((f"{place}.bases", one) for one in component.bases),
        *((f"{place}.base.{one}", one) for one in component.base),
        *((f"{place}.vendor.base.{one}", one) for one in amended),
    )
    for key, name in named:
        yield _of_base(project, key, f"{key.removesuffix(f'.{name}')}", name)


def _series(patches: Path, component: Component) -> Iterator[Reference]:
    """The folders of patches that a base or a flavour adds."""
    known = [path.name for path in patches.glob("*") if path.is_dir()]
    lack = f"which is not a folder of patches/{patches.name}/"
    for kind, variants in (("flavour", component.flavour), ("base", component.base)):
        for name, variant in variants.items():
            place = f"component.{component.name}.{kind}.{name}.series"
            for folder in variant.series:
                yield Reference(place, place, folder, known, lack, "folders")


def _fixes(patches: Path, component: Component) -> Iterator[Reference]:
    """The patches that are applied only where the source has the fault."""
    variants = (*component.flavour.values(), *component.base.values())
    folders = (component.name, *(folder for one in variants for folder in one.series))
    own = {path.name for folder in folders for path in (patches / folder).glob("*.patch")}
    known = own | {patch.name for patch in component.foreign_patches()}
    for number, fix in enumerate(component.fixes):
        place = f"component.{component.name}.fixes[{number}].patch"
        lack = "which is no patch of this component"
        yield Reference(place, place, fix.patch, known, lack, "patches")


def _packages(profile: Profile) -> Iterator[Reference]:
    """The packages that the image gets are those of components."""
    known = [name for component in profile.component.values() for name in component.packages]
    lack = "which is in packages of no component"
    for name in profile.install:
        yield Reference("install", "install", name, known, lack, "packages")


def _unsupported(profile: Profile) -> Iterator[Reference]:
    listed = profile.lab.unsupported if profile.lab is not None else {}
    scenarios = available_scenarios()
    if all(name in scenarios for name in listed):
        return
    # Slow to import, and rarely needed.
    from builder.lab import catalogue  # noqa: PLC0415
    from builder.lab.oracle.rows import ROWS  # noqa: PLC0415

    methods = [run.name for run in catalogue.load("methods", METHODS)[0].run]
    lack = "which is neither a scenario nor an assertion nor a method of `invoke lab --load`"
    for name in listed:
        place = f"lab.unsupported.{name}"
        known = (*scenarios, *ROWS, *methods)
        yield Reference(place, "lab.unsupported", name, known, lack, "names")
