"""A profile's settings for forensics: the headers that must agree, and the kABI list."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

import msgspec

from builder.values import Name, PathBelow


class HeaderCopy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A component's copy of a header.

    ``component``: the component.
    ``file``: path of the header in the patched tree.
    ``names``: structures that have another name in this copy, by their name in the first copy.
    ``defines``: macros that are set when it is compiled.
    """

    component: Name
    file: PathBelow
    names: dict[str, str] = {}
    defines: dict[str, str] = {}

    @property
    def label(self) -> str:
        return f"{self.component} {self.file}"


class LayoutCheck(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Structures and numbers that user space and kernel exchange.

    ``structures``: names or shell patterns of structures.
    ``copies``: copies of the header; the first one is the reference.
    ``numbers``: names or shell patterns of macros and enumerators; ``!PATTERN`` excludes.
    """

    structures: tuple[str, ...]
    copies: tuple[HeaderCopy, ...]
    numbers: tuple[str, ...] = ()

    def wants(self, number: str) -> bool:
        """Whether the macro or enumerator of that name is compared."""
        out = [text[1:] for text in self.numbers if text.startswith("!")]
        return _fits(number, self.numbers) and not _fits(number, out)


def _fits(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


class KabiList(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A vendor's list of symbols that keep their CRCs.

    ``file``: its path in the unpacked source.
    ``arch``: the folder of ``arch/`` whose headers count.
    """

    file: PathBelow
    arch: Name = "x86"
