"""Spec files: rendered from the profile's templates, strictly."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from builder import names
from builder import text as texts
from builder.errors import UsageError
from builder.profile.build import BuildPart
from builder.profile.model import Changelog

if TYPE_CHECKING:
    import jinja2

SUFFIX = ".spec.j2"
_TEMPLATE = "<template>"  # of a template whose file no loader knows
Loaded = Callable[[str, str | None], None]
"""Is given the name and the text of each template that is loaded; None if there is none."""


class SpecContext(msgspec.Struct, frozen=True):
    """The variables of a spec template.

    ``releases``: of all components, ``version-release`` by package.  ``sources``: file names, the
    main tarball first.  ``patches``: file names in series order.  ``flavour``: the kernel's
    configuration.
    """

    part: BuildPart
    releases: dict[str, str]
    flavour: str
    sources: tuple[str, ...]
    patches: tuple[str, ...]
    changelog: Changelog


def template_path(specs: Path, component: str) -> Path:
    return specs / f"{component}{SUFFIX}"


def template(specs: Path, name: str) -> str | None:
    """The text of one template; None if there is none of that name in the folder."""
    path = specs / name
    if names.is_inside(path, specs) and path.is_file():
        return texts.read(path)
    return None


def variables(context: SpecContext) -> dict[str, Any]:
    """What a template can use, by name."""
    return {
        "component": {
            "name": context.part.package,
            "version": context.part.version,
            "release": context.part.release,
        },
        "releases": context.releases,
        "flavour": context.flavour,
        "sources": list(context.sources),
        "patches": list(context.patches),
        "settings": context.part.settings,
        "changelog": msgspec.structs.asdict(context.changelog),
    }


def _ignore(name: str, text: str | None) -> None:
    pass


def render(specs: Path, context: SpecContext, loaded: Loaded = _ignore) -> str:
    """The spec of a component, from ``<specs>/<component>.spec.j2``.

    Raises UsageError with file and line for a template that is missing, malformed or
    names a variable that does not exist.
    """
    import jinja2  # noqa: PLC0415 - only for a spec that has changed

    def load(name: str) -> str | None:
        text = template(specs, name)
        loaded(name, text)
        return text

    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(load),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # noqa: S701 - specs are not markup
    )
    name = template_path(specs, context.part.name).name
    try:
        return environment.get_template(name).render(**variables(context))
    except jinja2.TemplateNotFound as error:
        raise UsageError(
            f"component {context.part.name} has no spec template",
            f"there is no file {names.place_of(specs / str(error))}",
            "write it; docs/explanation/profiles.md lists the variables of a spec template",
        ) from error
    except jinja2.TemplateSyntaxError as error:
        raise UsageError(
            f"{names.place_of(specs / str(error.name))}:{error.lineno} is not a template",
            error.message or "",
            "fix the template on that line",
        ) from error
    except jinja2.UndefinedError as error:
        raise UsageError(
            f"{names.place_of(specs / name)}:{_line_of(error)} names an unknown variable",
            error.message or "",
            "docs/explanation/profiles.md lists the variables of a spec template",
        ) from error


def _line_of(error: jinja2.UndefinedError) -> int:
    """The template's line: Jinja puts its own frames into the traceback, with these numbers."""
    lines = [
        number
        for frame, number in traceback.walk_tb(error.__traceback__)
        if frame.f_code.co_filename == _TEMPLATE
    ]
    return lines[-1] if lines else 1
