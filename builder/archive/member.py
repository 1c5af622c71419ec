"""What a tar and a cpio archive have in common: their members, and how they are named to people."""

from __future__ import annotations

import enum
from collections.abc import Iterator

import msgspec

_SHOWN = 300  # characters of a name in a message


class Kind(enum.Enum):
    """What a member of a source archive may be."""

    FILE = enum.auto()
    FOLDER = enum.auto()
    SYMLINK = enum.auto()
    HARDLINK = enum.auto()
    OTHER = enum.auto()


class Member(msgspec.Struct, frozen=True):
    """One member, as its header has it: nothing here has been judged but ``size``, which is >= 0.

    ``link``: what a link leads to.  ``size``: bytes of data that follow in the archive.
    ``mtime``: seconds since 1970, cut to whole ones.  ``odd``: why it must be refused, if so.
    """

    name: bytes
    kind: Kind
    link: bytes
    size: int
    mode: int
    mtime: int
    odd: str = ""


class DamagedArchive(Exception):
    """The bytes are no whole archive."""


def placed(members: Iterator[Member]) -> Iterator[Member]:
    """The same members; if one is damaged, the error tells after which."""
    last: Member | None = None
    while True:
        try:
            member = next(members, None)
        except DamagedArchive as damage:
            where = f"after member {shown(last.name)}" if last else "at its beginning"
            raise DamagedArchive(f"{damage} ({where})") from damage
        if member is None:
            return
        last = member
        yield member


def shown(name: bytes) -> str:
    """A name for a message: quoted, not too long, without what a terminal would obey."""
    return repr(name.decode("utf-8", "backslashreplace")[:_SHOWN])


def listed(name: bytes) -> str:
    """A name for a list of several: as it is, if nothing in it could harm a terminal."""
    text = name.decode("utf-8", "backslashreplace")
    return text if text.isprintable() else shown(name)
