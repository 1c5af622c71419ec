"""Check where the symbolic links of an unpacked tree lead, from their names alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

_HOPS = 40  # links followed in one name; path_resolution(7)
_STEPS = 1 << 20  # path components followed for all links together; a kernel needs a thousand


class Stray(Exception):
    """A link that must be refused.  ``link``: its name; the message says why."""

    def __init__(self, link: bytes, reason: str) -> None:
        super().__init__(reason)
        self.link = link


def check(links: Mapping[bytes, bytes], deepest: int) -> None:
    """Raise Stray for a link that leads out of the tree, also through other links, or nowhere.

    ``links``: each link's target by its name below the tree's root.  A name has at most
    ``deepest`` components; no target is absolute.  Names that are not links count as folders or
    as missing, which makes no difference.
    """
    left = _STEPS
    for link in links:
        for _ in _walk(link, links, deepest):
            left -= 1
            if left < 0:
                raise Stray(link, f"the links together lead through more than {_STEPS} names")


def _walk(link: bytes, links: Mapping[bytes, bytes], deepest: int) -> Iterator[None]:
    """Yield once for each path component on the way."""
    here = link.split(b"/")[:-1]
    todo = links[link].split(b"/")[::-1]
    hops = 0
    while todo:
        yield
        part = todo.pop()
        if part in (b"", b"."):
            continue
        if part == b"..":
            if not here:
                raise Stray(link, "it links out of the tree")
            here.pop()
            continue
        here.append(part)
        goal = links.get(b"/".join(here)) if len(here) <= deepest else None
        if goal is not None:
            hops += 1
            if hops > _HOPS:
                raise Stray(link, "it links to itself")
            here.pop()
            todo.extend(goal.split(b"/")[::-1])
