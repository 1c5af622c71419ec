"""Reads profiles; every complaint names file and line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from builder import names, toml, values
from builder import text as texts
from builder.profile.model import Component, Flavour, Profile
from builder.source.model import Location, Source

FILE_NAME = "profile.toml"
FRAGMENTS = "kernel-config"
RENAMED = {
    "host": "target",
    **dict.fromkeys(("guest", "selftest", "lab.interfaces", "lab.init"), "init"),
}
"""Keys of earlier versions, and those of today."""
KEYS = "see docs/reference/configuration.md for the keys and their types"


def available(specs: Path) -> tuple[str, ...]:
    """Names of the profiles in ``specs``, sorted."""
    found = {path.parent.name for path in specs.glob(f"*/{FILE_NAME}")}
    return tuple(sorted(filter(names.is_name, found)))


def _named(path: Path, text: str, kind: str, tables: Any) -> Any:
    """The tables ``[kind.NAME]``, each with its name in it."""
    for name, table in tables.items() if isinstance(tables, dict) else ():
        if isinstance(table, dict):
            if "name" in table:
                line = toml.line_of(text, f"{kind}.{name}.name")
                cause = f"{kind}.{name}.name: Object contains unknown field `name`"
                raise toml.refuse(path, line, cause, KEYS)
            table["name"] = name
    return tables


def _with_init(document: dict[str, Any]) -> dict[str, Any]:
    """The table ``[lab]`` with the image's init, by which the lab configures hosts."""
    lab, init = document.get("lab"), document.get("init")
    if not isinstance(lab, dict) or init is None:
        return document
    return {**document, "lab": {**lab, "init": init}}


def _decode(path: Path, text: str) -> Profile:
    document = toml.parse(path, text)
    toml.require_present_names(path, text, document, RENAMED)
    sources = _named(path, text, "source", document.pop("source", {}))
    flavours = toml.convert_tables(
        path, text, document.pop("flavour", {}), Flavour, "flavour", hint=KEYS
    )
    components = _named(path, text, "component", document.pop("component", {}))
    components = toml.convert_tables(path, text, components, Component, "component", hint=KEYS)
    whole = {
        **_with_init(document),
        "name": path.parent.name,
        "flavour": flavours,
        "component": components,
        "source": toml.convert_tables(path, text, sources, Source, "source", hint=KEYS),
    }
    return toml.convert(path, text, whole, Profile, "", hint=KEYS)


def _check_references(path: Path, text: str, profile: Profile) -> None:
    if profile.default_flavour not in profile.flavour:
        raise toml.refuse(
            path,
            toml.line_of(text, "default_flavour"),
            f"default_flavour names {profile.default_flavour!r}, which is not a flavour"
            + names.nearest(profile.default_flavour, profile.flavour),
            f"flavours: {', '.join(profile.flavour)}",
        )
    for name, component in profile.component.items():
        for place, source in _named_sources(component):
            if source not in profile.source:
                raise toml.refuse(
                    path,
                    toml.line_of(text, f"component.{name}.{place}"),
                    f"component {name} names source {source!r}, which has no table"
                    + names.nearest(source, profile.source),
                    f"sources: {', '.join(profile.source)}",
                )
        _check_needs(path, text, profile, name)
        _check_flavours(path, text, profile, name)
    _check_date(path, text, profile)
    _check_sources(path, text, profile)
    _check_files(path, text, profile)
    _check_keys(path, text, profile)
    _check_layouts(path, text, profile)


def _check_keys(path: Path, text: str, profile: Profile) -> None:
    for name, source in profile.source.items():
        for one in source.signed_by:
            key = path.parent / one.key
            if not key.is_file() or not names.is_inside(key, path.parent):
                present = [str(file.relative_to(path.parent)) for file in key.parent.glob("*")]
                lack = "leads out of its folder"
                if not key.is_file():
                    lack = f"does not exist{names.nearest(one.key, present)}"
                raise toml.refuse(
                    path,
                    toml.line_of(text, f"source.{name}.signed_by"),
                    f"source {name} is to be signed by {one.key}, which {lack}",
                    "put the armoured public key there",
                )


def _check_sources(path: Path, text: str, profile: Profile) -> None:
    """Check that the locations of sources can be understood."""
    for name, source in profile.source.items():
        place = f"source.{name}.locations"
        if not source.locations:
            cause = f"{place}: no location is named"
            raise toml.refuse(path, toml.line_of(text, place), cause, KEYS)
        _check_variant(path, text, source)
        for number, location in enumerate(source.locations):
            fault = values.url_fault(location.url)
            if not fault and location.member and location.scheme != "apt":
                fault = "only what apt: brings has members"
            if location.signature and not fault:
                fault = _signature_fault(source, location)
            if fault:
                cause = f"{place}[{number}]: {fault}"
                raise toml.refuse(path, toml.line_of(text, place), cause, KEYS)


def _check_variant(path: Path, text: str, source: Source) -> None:
    """Check that the preferred variant exists, and that the list of releases can be understood."""
    place = f"source.{source.name}"
    fault = values.url_fault(source.releases, ("https", "http")) if source.releases else ""
    if fault:
        cause = f"{place}.releases: {fault}"
        raise toml.refuse(path, toml.line_of(text, f"{place}.releases"), cause, KEYS)
    named = tuple(dict.fromkeys(one.serves for one in source.locations))
    if source.variant not in ("", *named):
        raise toml.refuse(
            path,
            toml.line_of(text, f"{place}.variant"),
            f"source {source.name} prefers variant {source.variant!r}, which no location serves"
            + names.nearest(source.variant, named),
            f"variants: {', '.join(named)}",
        )


def _signature_fault(source: Source, location: Location) -> str:
    """What is wrong with the URL of a signature; empty if nothing is."""
    if location.is_packaged or source.file.endswith(".rpm"):
        return "packages and RPMs carry their signatures with them"
    if not source.signed_by:
        return "signed_by names nobody who may have made its signature"
    fault = values.url_fault(location.signature, (*values.NETWORK, "file"))
    return f"signature: {fault}" if fault else ""


def _check_files(path: Path, text: str, profile: Profile) -> None:
    """Check that the profile's own files that it names exist."""
    if not (path.parent / profile.target).is_file():
        targets = [one.name for one in path.parent.glob("*.toml") if one.name != FILE_NAME]
        raise toml.refuse(
            path,
            toml.line_of(text, "target"),
            f"target names {profile.target}, which does not exist"
            + names.nearest(profile.target, targets),
            f"write {names.place_of(path.parent / profile.target)}, or name another file",
        )
    fragments = path.parent / FRAGMENTS
    for name, flavour in profile.flavour.items():
        for fragment in flavour.fragments:
            if not (fragments / fragment).is_file():
                present = sorted(one.name for one in fragments.glob("*"))
                raise toml.refuse(
                    path,
                    toml.line_of(text, f"flavour.{name}.fragments"),
                    f"flavour {name} names fragment {fragment!r}, which does not exist"
                    + names.nearest(fragment, present),
                    f"files of {FRAGMENTS}/: {', '.join(present) or 'none'}",
                )


def _check_date(path: Path, text: str, profile: Profile) -> None:
    fault = values.date_fault(profile.changelog.date)
    if fault:
        line = toml.line_of(text, "changelog.date")
        hint = "LC_ALL=C date -u '+%a %b %d %Y' (it prints today's)"
        raise toml.refuse(path, line, f"changelog.date: {fault}", hint)


def _named_sources(component: Component) -> Iterator[tuple[str, str]]:
    """Key and source name of every mention."""
    if component.source:
        yield "source", component.source
    for patch in component.foreign_patches():
        yield "patches", patch.source


def _check_needs(path: Path, text: str, profile: Profile, name: str) -> None:
    """Check that a component's needs exist, and do not need the component in turn."""
    seen: set[str] = set()
    waiting = list(profile.component[name].needs)
    while waiting:
        need = waiting.pop()
        if need not in profile.component or need == name:
            raise toml.refuse(
                path,
                toml.line_of(text, f"component.{name}.needs"),
                f"component {name} needs {need!r}, which "
                + ("needs it in turn" if need == name else "has no table")
                + names.nearest(need, (one for one in profile.component if one != name)),
                f"components: {', '.join(profile.component)}",
            )
        if need not in seen:
            seen.add(need)
            waiting += profile.component[need].needs


def _check_flavours(path: Path, text: str, profile: Profile, name: str) -> None:
    """Check that the flavours for which a component has differences exist."""
    component = profile.component[name]
    amended = component.vendor.flavour if component.vendor is not None else {}
    named = (
        *((f"component.{name}.flavour.{one}", one) for one in component.flavour),
        *((f"component.{name}.vendor.flavour.{one}", one) for one in amended),
    )
    for place, flavour in named:
        if flavour not in profile.flavour:
            raise toml.refuse(
                path,
                toml.line_of(text, place),
                f"component {name} names flavour {flavour!r}, which has no table"
                + names.nearest(flavour, profile.flavour),
                f"flavours: {', '.join(profile.flavour)}",
            )


def _check_layouts(path: Path, text: str, profile: Profile) -> None:
    """Check that a layout check compares copies of components that have sources."""
    known = [name for name, component in profile.component.items() if component.source]
    hint = f"components with sources: {', '.join(known)}"
    for number, check in enumerate(profile.layout):
        place = f"layout[{number}]"
        for index, copy in enumerate(check.copies):
            if copy.component not in known:
                line = toml.line_of(text, f"{place}.copies[{index}].component")
                cause = (
                    f"a layout check names {copy.component!r}, which is not a component with a "
                    f"source{names.nearest(copy.component, known)}"
                )
                raise toml.refuse(path, line, cause, hint)
        if len(check.copies) < 2:
            cause = "a layout check needs two copies or more"
            raise toml.refuse(path, toml.line_of(text, place), cause, hint)


def find(specs: Path, name: str) -> str:
    """``name``, if there is a profile of that name; raises UsageError with the nearest one."""
    rule = f"--profile names a folder of specs/ that has a {FILE_NAME}"
    return names.choose("profile", name, available(specs), rule)


def load(specs: Path, name: str) -> Profile:
    """The profile ``name`` of the folder ``specs``.

    Raises UsageError with file and line for unknown keys, wrong types and references to things that
    do not exist; with the list of profiles if there is none of that name.
    """
    path = specs / find(specs, name) / FILE_NAME
    text = texts.read(path)
    profile = _decode(path, text)
    _check_references(path, text, profile)
    return profile
