"""A vendor's source RPM, amended the way its spec provides for, never rewritten.

Red Hat's kernel.spec has a place for each thing that must differ: a commented-out
``buildid``, an empty last patch before which others go, configuration files that are merged
before %prep checks them.  Which lines these are is data of the profile, so that the kernel of
another vendor, or the next release of this one, needs no code.  A place that is not as
described stops the run: a spec amended by guess would build something unknown.  All functions
work on text; the caller reads and writes the files, and should use ``ENCODING`` and ``ERRORS``
for that, because changelogs of that age mix encodings.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated

import msgspec

from builder.errors import PatchError
from builder.kernel import config
from builder.values import FileName

ENCODING = "utf-8"
ERRORS = "surrogateescape"
_TAG = re.compile(r"[Pp]atch([0-9]+)\s*:")
_ASSIGNED = re.compile(r"(?:# )?(CONFIG_[A-Za-z0-9_]+)(?:=.*| is not set)")
# kconfig's nonint_oldconfig prints the name of each symbol that has no value, one a line.
_BARE = re.compile(r"CONFIG_[A-Za-z0-9_]+")


class LineEdit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line of the vendor's spec that is replaced.

    ``line``: the line, which must be there exactly once.
    ``to``: the lines that take its place.
    """

    line: str
    to: tuple[str, ...]


class Additions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is amended in the vendor's source RPM.

    ``replace``: edits of the spec.
    ``config``: options in ``.config`` syntax, by the configuration file that gets them.
    ``with``: switches of the spec that are set.
    ``without``: switches of the spec that are unset.
    ``defines``: macros for rpmbuild.
    """

    replace: tuple[LineEdit, ...] = ()
    config: dict[str, tuple[str, ...]] = {}
    with_: tuple[str, ...] = msgspec.field(default=(), name="with")
    without: tuple[str, ...] = ()
    defines: dict[str, str] = {}


class PatchPlaces(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where patches enter the vendor's spec.

    ``tags``: the line before which the tags of the patches go.
    ``apply``: the line before which the commands that apply them go.
    ``command``: the command that applies one patch; ``{name}`` is its file name.
    ``first``: number of the first patch.
    ``fuzz``: lines of context at either end of a hunk that the command tolerates to differ.
    """

    tags: str
    apply: str
    command: str = "ApplyPatch {name}"
    first: Annotated[int, msgspec.Meta(ge=0)] = 90001
    fuzz: Annotated[int, msgspec.Meta(ge=0)] = 1


class Vendor(Additions, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A component that is built by its vendor's own spec.

    ``spec``: file name of the spec in the source RPM.
    ``patches``: where patches enter the spec.
    ``base``: what is amended besides in a base.
    ``flavour``: what is amended besides in a flavour.
    """

    spec: FileName
    patches: PatchPlaces
    base: dict[str, Additions] = {}
    flavour: dict[str, Additions] = {}


class Amendment(Additions, frozen=True, kw_only=True):
    """All that is amended in one base and flavour, and where in the vendor's spec."""

    spec: FileName
    patches: PatchPlaces


def resolve(vendor: Vendor, base: str, flavour: str) -> Amendment:
    """All amendments in this base and flavour: the base overrides the vendor, the flavour both."""
    parts = (vendor, vendor.base.get(base, Additions()), vendor.flavour.get(flavour, Additions()))
    switches: dict[str, bool] = {}
    defines: dict[str, str] = {}
    lines: dict[str, tuple[str, ...]] = {}
    for part in parts:
        switches |= dict.fromkeys(part.with_, True) | dict.fromkeys(part.without, False)
        defines |= part.defines
        for name, more in part.config.items():
            lines[name] = _last_of_each(name, (*lines.get(name, ()), *more))
    return Amendment(
        spec=vendor.spec,
        patches=vendor.patches,
        replace=tuple(edit for part in parts for edit in part.replace),
        config=lines,
        with_=tuple(name for name, on in switches.items() if on),
        without=tuple(name for name, on in switches.items() if not on),
        defines=defines,
    )


def rpmbuild_options(additions: Additions) -> tuple[str, ...]:
    """The switches and macros as arguments of rpmbuild."""
    return (
        *(word for name in additions.with_ for word in ("--with", name)),
        *(word for name in additions.without for word in ("--without", name)),
        *(
            word
            for name, value in additions.defines.items()
            for word in ("--define", f"{name} {value}")
        ),
    )


def amend_spec(text: str, amendment: Amendment, patches: Sequence[str]) -> str:
    """The spec with its edits made and ``patches`` (file names) added, applied in this order.

    Raises PatchError with the line that was looked for if it is not there exactly once, or
    if a patch's number is taken.
    """
    lines = text.split("\n")
    for edit in amendment.replace:
        at = _find(lines, edit.line, amendment.spec)
        lines[at : at + 1] = edit.to
    places = amendment.patches
    if patches:
        _refuse_taken(lines, amendment, len(patches))
        at = _find(lines, places.tags, amendment.spec)
        lines[at:at] = [f"Patch{n}: {name}" for n, name in enumerate(patches, places.first)]
        at = _find(lines, places.apply, amendment.spec)
        lines[at:at] = [places.command.replace("{name}", name) for name in patches]
    return "\n".join(lines)


def amend_config(text: str, wanted: Sequence[str], name: str) -> str:
    """The configuration file ``name`` with ``wanted`` options in place of its own, or added.

    Raises UsageError for a wanted line that is not an option, or a symbol that is wanted twice.
    """
    options = {
        option.symbol: option
        for option in config.combine(iter(config.parse("\n".join(wanted), _place(name))))
    }
    lines: list[str] = []
    placed: set[str] = set()
    for line in text.splitlines():
        symbol = _symbol(line)
        if symbol not in options:
            lines.append(line)
        elif symbol not in placed:
            placed.add(symbol)
            lines.append(options[symbol].line)
    lines += [option.line for symbol, option in options.items() if symbol not in placed]
    return "".join(f"{line}\n" for line in lines)


def unset_symbols(log: Iterable[str]) -> tuple[str, ...]:
    """The Kconfig symbols that nonint_oldconfig found without a value, from a build's log.

    It prints each bare name on a line of its own, among compiler warnings, and fails.  No other
    line of such a log is only a symbol's name.
    """
    return tuple(dict.fromkeys(line.strip() for line in log if _BARE.fullmatch(line.strip())))


def symbols_without_line(symbols: Iterable[str], files: Mapping[str, str]) -> tuple[str, ...]:
    """Those ``symbols`` that no configuration file (text by name) gives a value.

    With the symbols that the patches add, this predicts the output of nonint_oldconfig.
    """
    known = {_symbol(line) for text in files.values() for line in text.splitlines()}
    return tuple(symbol for symbol in symbols if symbol not in known)


def explain_unset(symbols: Sequence[str]) -> tuple[str, str]:
    """Cause and hint for symbols without a value: a value out of its range counts as none."""
    return (
        "new configuration symbols without a value: " + ", ".join(symbols),
        "give each a line (CONFIG_X=m, or # CONFIG_X is not set) under vendor.config in "
        "profile.toml; a number out of the symbol's range counts as no value",
    )


def _place(name: str) -> str:
    return f"vendor.config of {name}"


def _last_of_each(name: str, lines: Sequence[str]) -> tuple[str, ...]:
    """Of several lines for one symbol only the last; raises UsageError for a malformed one."""
    options = {option.symbol: option for option in config.parse("\n".join(lines), _place(name))}
    return tuple(option.line for option in options.values())


def _symbol(line: str) -> str | None:
    found = _ASSIGNED.fullmatch(line.strip())
    return found[1] if found else None


def _find(lines: Sequence[str], wanted: str, spec: str) -> int:
    """Where ``wanted`` is, ignoring trailing white space.  Raises PatchError unless once."""
    found = [at for at, line in enumerate(lines) if line.rstrip() == wanted]
    if len(found) == 1:
        return found[0]
    seen = "; it is on lines " + ", ".join(str(at + 1) for at in found) if found else ""
    raise PatchError(
        f"{spec} is not the spec that the profile knows how to amend",
        f"looked for exactly one line {wanted!r}, found {len(found) or 'none'}{seen}",
        "is this the source RPM of the release that the profile names? If the vendor's "
        "spec has changed, correct the line under vendor in profile.toml",
    )


def _numbers(lines: Sequence[str]) -> Iterator[int]:
    for line in lines:
        if tag := _TAG.match(line):
            yield int(tag[1])


def _refuse_taken(lines: Sequence[str], amendment: Amendment, count: int) -> None:
    first = amendment.patches.first
    taken = sorted(set(_numbers(lines)) & set(range(first, first + count)))
    if taken:
        raise PatchError(
            f"{amendment.spec} has patches of the numbers that ours would get",
            ", ".join(f"Patch{number}" for number in taken),
            "choose another vendor.patches.first in profile.toml",
        )
