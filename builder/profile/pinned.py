"""Whether a profile's versions are those of the sources that are pinned for it.

The pinned bytes are what is built, so another version in profile.toml would be found out by the
build alone, after everything was fetched.
"""

from __future__ import annotations

from collections.abc import Iterator

from builder import names, toml
from builder import text as texts
from builder.host.paths import Project
from builder.profile.load import FILE_NAME
from builder.profile.model import Component, Profile
from builder.source.known import valid_pins
from builder.source.model import Source
from builder.source.pins import NEXT, Pin, Pins, open_lock
from builder.source.revision import plain, upstream

Fault = tuple[str, str, str]
"""Place in the file, what is wrong, what would be right."""


def require(project: Project, profile: Profile) -> None:
    """Raise UsageError, with file and line, for a version that is not the pinned one."""
    lock = open_lock(project, profile.name)
    path = project.specs / profile.name / FILE_NAME
    where = names.place_of(lock.path)
    for name, source in profile.source.items():
        pins = valid_pins(source, lock)
        made = [one for one in profile.component.values() if one.source == name and not one.inside]
        faults = (*_of_components(made, source, pins), *_of_locations(source, pins))
        for place, fault, remedy in faults:
            line = toml.line_of(texts.read(path), place)
            move = f"invoke update {name} --profile {profile.name}"
            hint = f"{remedy}, or move the source to another release: {move}"
            raise toml.refuse(path, line, f"{place}: {fault}, as {where} has it", hint)


def _of_components(components: list[Component], source: Source, pins: Pins) -> Iterator[Fault]:
    for variant in source.variants:
        held = _held(pins, variant)
        for component in components:
            if held and not any(component.version in _names_of(one) for one in held):
                place = f"component.{component.name}.version"
                fault = f"{component.version!r} is not the version of what is pinned"
                remedy = f'write version = "{plain(held[0].version or "")}"'
                yield place, f"{fault}, {_told(source, held[0])}", remedy


def _of_locations(source: Source, pins: Pins) -> Iterator[Fault]:
    """A location may name another revision of the pinned version, but no other version."""
    for number, location in enumerate(source.locations):
        address, _, named = location.url.partition("=")
        held = _held(pins, location.serves)
        if location.is_packaged and named and held and not any(_alike(named, one) for one in held):
            place = f"source.{source.name}.locations[{number}].url"
            fault = f"{named!r} is not the version of what is pinned"
            remedy = f'write "{address}={held[0].version}"'
            yield place, f"{fault}, {_told(source, held[0])}", remedy


def _held(pins: Pins, variant: str) -> list[Pin]:
    """The pins of a variant that have a version; two while the source moves to another one."""
    found = [pins[name] for name in (variant, f"{variant}{NEXT}") if name in pins]
    return [one for one in found if one.version]


def _names_of(pin: Pin) -> tuple[str, str]:
    """The versions that a package of the pinned bytes may have."""
    version = pin.version or ""
    return plain(version), upstream(version).rpartition(":")[2]


def _alike(version: str, pin: Pin) -> bool:
    return plain(version) == plain(pin.version or "")


def _told(source: Source, pin: Pin) -> str:
    return f"{pin.version} of {source.name}"
