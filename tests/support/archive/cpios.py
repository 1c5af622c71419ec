"""Cpio archives as rpm has them, member by member, so that every field can be wrong."""

from __future__ import annotations

import stat
from dataclasses import dataclass

NOW = 1_700_000_000


@dataclass(frozen=True)
class Member:
    """One member of a cpio archive; ``size``: what its header claims, if not the truth."""

    name: str
    data: bytes = b"data"
    mode: int = stat.S_IFREG | 0o644
    links: int = 1
    size: int | None = None

    def encode(self) -> bytes:
        size = len(self.data) if self.size is None else self.size
        name = self.name.encode() + b"\0"
        fields = (1, self.mode, 0, 0, self.links, NOW, size, 0, 0, 0, 0, len(name), 0)
        head = b"070701" + b"".join(b"%08x" % field for field in fields) + name
        return _pad(_pad(head) + self.data)


def _pad(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


TRAILER = Member("TRAILER!!!", b"", 0).encode()
