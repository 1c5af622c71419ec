"""The members of tar and cpio archives, and their names in messages."""

from __future__ import annotations

import enum
from collections.abc import Iterator

import msgspec

_SHOWN = 300  # characters of a name in a message


class Kind(enum.Enum):
    """The kind of a source archive's member."""

    FILE = enum.auto()
    FOLDER = enum.auto()
    SYMLINK = enum.auto()
    HARDLINK = enum.auto()
    OTHER = enum.auto()


class Member(msgspec.Struct, frozen=True):
    """One member, as its header describes it; only ``size`` is checked (it is >= 0).

    ``link``: a link's target.  ``size``: bytes of data that follow in the archive.  ``mtime``:
    whole seconds since 1970.  ``odd``: why it must be refused; empty if it is acceptable.
    """

    name: bytes
    kind: Kind
    link: bytes
    size: int
    mode: int
    mtime: int
    odd: str = ""


class DamagedArchive(Exception):
    """The bytes are not a complete archive."""


def placed(members: Iterator[Member]) -> Iterator[Member]:
    """The same members; the error for a damaged one names the member before it."""
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
    """A name for a message: quoted, shortened, without control characters."""
    return repr(name.decode("utf-8", "backslashreplace")[:_SHOWN])


def listed(name: bytes) -> str:
    """A name for a list: unquoted if it is printable."""
    text = name.decode("utf-8", "backslashreplace")
    return text if text.isprintable() else shown(name)
