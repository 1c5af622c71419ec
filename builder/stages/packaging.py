"""How a component is packed: its spec, and what belongs in SOURCES beside it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from builder.pipeline.digest import Input
from builder.pipeline.stage import Done
from builder.profile.build import BuildPart
from builder.stages.setting import Setting
from builder.stages.templated import Templated
from builder.stages.vendored import Vendored


class Packaging(Protocol):
    """A manner of packing.  ``done`` always has the stages of ``needs``."""

    @property
    def needs(self) -> tuple[str, ...]:
        """The stages whose output it uses."""

    @property
    def options(self) -> tuple[str, ...]:
        """Further options of rpmbuild."""

    def inputs(self) -> tuple[Input, ...]:
        """What decides on the spec and on SOURCES, apart from the stages of ``needs``."""

    def spec(self, done: Mapping[str, Done]) -> str:
        """The spec's text; bytes that are not UTF-8 are surrogates in it."""

    def fill(self, target: Path, done: Mapping[str, Done]) -> None:
        """Put everything that belongs in SOURCES into ``target``."""

    @property
    def foreseen(self) -> Path | None:
        """A relative path that stands for ``prepared``, None where that will be None."""

    def prepared(self, done: Mapping[str, Done]) -> Path | None:
        """The patched tree that stands in for %prep, None if %prep is to be run."""

    def explain(self, log: Path) -> tuple[str, str] | None:
        """Cause and hint of a failed build, if this manner of packing knows more than others."""


def packaging(setting: Setting, part: BuildPart) -> Packaging:
    """By the vendor's own spec if the profile has its table, else by a template of ours."""
    if part.vendor is not None and part.source is not None:
        return Vendored(setting, part, part.source, part.vendor)
    return Templated(setting, part)
