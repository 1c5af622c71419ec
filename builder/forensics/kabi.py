"""Which symbols of a vendor's kABI list a patch series touches, and how certainly.

genksyms (scripts/genksyms) makes a symbol's CRC from its declaration.  It expands every struct,
union, enum and typedef that the exporting file sees, through pointers as well, so the CRC changes
if one of these does.  This module reads the text of the sources; it does not know what a
configuration leaves out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path

import msgspec

from builder.errors import UsageError
from builder.forensics import ctext
from builder.forensics.reach import Headers, TypeReach, exporters
from builder.forensics.view import TreeView

_LINE = re.compile(r"0x[0-9a-fA-F]{1,16}\s+(\w+)\s+(\S+)\s+(EXPORT\w+)")
SHOWN = 12


class Certainty(StrEnum):
    """How certain a change is, the most certain first."""

    REMOVED = "no longer exported"
    DECLARATION = "its declaration changes, and so will its CRC"
    SIGNATURE = "its signature uses a changed type, so its CRC will change"
    EXPORTER = "exported from a changed file; its CRC stays, its behaviour may change"


class Listed(msgspec.Struct, frozen=True):
    """A line of the list: ``module`` is ``vmlinux`` or the module's path without suffix."""

    symbol: str
    module: str
    export: str


class Touch(msgspec.Struct, frozen=True):
    """A listed symbol that the series touches.  ``file``: where it is exported, if known.

    ``chain``: from the type in its signature to the type whose definition changes.
    """

    symbol: str
    certainty: Certainty
    file: str = ""
    chain: tuple[str, ...] = ()


class KabiReport(msgspec.Struct, frozen=True):
    """``listed``: symbols in the list.  ``changed``: types whose definition changes.

    ``unseen``: how many more symbols could reach a changed type, had the files that export
    them its definition; as they have not, their CRCs stay.
    """

    listed: int
    changed: tuple[str, ...] = ()
    touches: tuple[Touch, ...] = ()
    unseen: int = 0

    def lines(self) -> tuple[str, ...]:
        """The lines to print."""
        return tuple(f"kABI: {line}" for line in self._tell())

    def _tell(self) -> Iterator[str]:
        if not self.touches:
            yield f"none of {self.listed} listed symbols is touched"
        for certainty in Certainty:
            touches = [touch for touch in self.touches if touch.certainty is certainty]
            if touches:
                yield f"{len(touches)} of {self.listed} listed symbols: {certainty}"
            for touch in touches[:SHOWN]:
                yield f"  {_tell_touch(touch)}"
            if len(touches) > SHOWN:
                yield f"  and {len(touches) - SHOWN} more (--json has all)"


def _tell_touch(touch: Touch) -> str:
    place = f" ({touch.file})" if touch.file else ""
    if not touch.chain:
        return f"{touch.symbol}{place}"
    # A typedef's and a struct's name read alike: "uses struct a, which has struct b".
    return f"{touch.symbol}{place}: uses {', which has '.join(touch.chain)}"


def read_list(path: Path) -> dict[str, Listed]:
    """The vendor's list, by symbol: lines ``0xCRC symbol module EXPORT_TYPE``.

    Raises UsageError with file and line for anything else.
    """
    found: dict[str, Listed] = {}
    for number, line in enumerate(path.read_text(encoding="ascii").splitlines(), 1):
        match = _LINE.fullmatch(line.strip())
        if match is not None:
            found[match[1]] = Listed(match[1], match[2], match[3])
        elif line.strip():
            raise UsageError(
                f"{path}:{number}: not a line of a kABI list",
                line.strip()[:200],
                "lines are: 0xCRC symbol module EXPORT_SYMBOL or EXPORT_SYMBOL_GPL",
            )
    return found


def compare(
    before: TreeView,
    after: TreeView,
    touched: frozenset[str],
    listed: Mapping[str, Listed],
    arch: str,
) -> KabiReport:
    """Which of the ``listed`` symbols a patch of the ``touched`` files touches.

    ``arch``: the folder of ``arch/`` whose headers count.
    """
    sources = sorted(name for name in touched if name.endswith((".c", ".h")))
    old = {name: ctext.for_genksyms(before.read(name) or "") for name in sources}
    new = {name: ctext.for_genksyms(after.read(name) or "") for name in sources}
    touches: dict[str, Touch] = {}

    def note(found: Iterator[Touch]) -> None:
        for touch in found:
            touches.setdefault(touch.symbol, touch)

    homes = {name: file for file in sources for name in ctext.exports(new[file]) if name in listed}
    note(_removed(old, homes, listed))
    note(_redeclared(old, new, homes, listed))
    changed = changed_types(old, new)
    headers = Headers(after, arch, {name: new[name] for name in sources})
    reach = TypeReach(headers, changed, sources)
    signed = reach.signatures(listed)
    places = exporters(after, signed.keys() - homes.keys(), arch) | homes
    chains = {name: reach.chain(types, places.get(name, "")) for name, types in signed.items()}
    seen = {name: chain for name, chain in chains.items() if chain}
    note(Touch(name, Certainty.SIGNATURE, places[name], chain) for name, chain in seen.items())
    note(Touch(name, Certainty.EXPORTER, file) for name, file in homes.items())
    order = list(Certainty)
    ranked = sorted(
        touches.values(), key=lambda touch: (order.index(touch.certainty), touch.symbol)
    )
    return KabiReport(len(listed), tuple(sorted(changed)), tuple(ranked), len(signed) - len(seen))


def changed_types(old: Mapping[str, str], new: Mapping[str, str]) -> dict[str, str]:
    """Types with a changed definition, and the file of each.

    A new type does not count, because nothing could have used it.  A constant in a
    definition counts as part of it.
    """
    found: dict[str, str] = {}
    for file, text in old.items():
        constants, later = ctext.constants(text), ctext.constants(new[file])
        moved = {name for name, value in constants.items() if later.get(name) != value}
        types, now = ctext.definitions(text), ctext.definitions(new[file])
        for key, definition in types.items():
            if key not in now or now[key].body != definition.body or moved & definition.mentions:
                found[key] = file
    return found


def _removed(
    old: Mapping[str, str], homes: Mapping[str, str], listed: Mapping[str, Listed]
) -> Iterator[Touch]:
    for file, text in old.items():
        for name in ctext.exports(text):
            if name in listed and name not in homes:
                yield Touch(name, Certainty.REMOVED, file)


def _redeclared(
    old: Mapping[str, str],
    new: Mapping[str, str],
    homes: Mapping[str, str],
    listed: Mapping[str, Listed],
) -> Iterator[Touch]:
    for file, text in old.items():
        earlier: dict[str, set[str]] = {}
        later: dict[str, set[str]] = {}
        for name, declaration in ctext.declarations(text, listed):
            earlier.setdefault(name, set()).add(declaration)
        for name, declaration in ctext.declarations(new[file], listed):
            later.setdefault(name, set()).add(declaration)
        for name, texts in earlier.items():
            if later.get(name, texts) != texts:
                yield Touch(name, Certainty.DECLARATION, homes.get(name, file))
