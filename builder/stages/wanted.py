"""The configuration symbols that a profile wants, held against those of the patched kernel."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

from msgspec.structs import replace

from builder import names
from builder import text as texts
from builder.errors import UsageError
from builder.kernel import config, symbols
from builder.kernel.config import LineOrigin, Option
from builder.profile.build import BuildPart
from builder.profile.load import FILE_NAME, FRAGMENTS
from builder.stages.setting import Setting


def fragments(setting: Setting) -> tuple[Path, ...]:
    """The configuration fragments of the flavour, in order."""
    return tuple(setting.specs / FRAGMENTS / name for name in setting.build.fragments)


def require_known(setting: Setting, part: BuildPart, tree: Path) -> None:
    """Raise UsageError, with file and line, for symbols that no Kconfig file of ``tree`` has.

    The kernel's own tools ignore such a symbol, or say it without its place.
    """
    wanted = dict(_wanted(setting, part))
    known = symbols.defined(tree) if wanted else frozenset()
    unknown = symbols.unknown(wanted, known)
    if not unknown:
        return
    first = unknown[0]
    remedy = "correct the name, or remove it there"
    if part.configured:  # a symbol has a line of its own
        remedy += f": sed -i {first.origin.line}d {shlex.quote(first.origin.file)}"
    raise UsageError(
        f"the configuration of {part.name} names what this kernel does not have",
        "\n".join(symbols.told(one, wanted[one], known) for one in unknown),
        remedy,
    )


def _wanted(setting: Setting, part: BuildPart) -> Iterator[tuple[Option, str]]:
    """Each option with its place in the project, and its key there."""
    if part.configured:
        folder = names.place_of(setting.specs / FRAGMENTS)
        for option in config.load(fragments(setting)):
            yield _at(option, f"{folder}/{option.origin.file}", option.origin.line), ""
    if part.vendor is not None:
        path = setting.specs / FILE_NAME
        lines = texts.read(path).splitlines()
        for name, added in part.vendor.config.items():
            for option in config.parse("\n".join(added), name):
                number = next((n for n, line in enumerate(lines, 1) if option.line in line), 1)
                key = f"component.{part.name}.vendor, config.{name}"
                yield _at(option, names.place_of(path), number), key


def _at(option: Option, file: str, line: int) -> Option:
    return replace(option, origin=LineOrigin(file, line))
