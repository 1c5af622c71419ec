"""How far a changed type reaches: through other types, headers, and into signatures."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

from builder.forensics import ctext
from builder.forensics.view import TreeView

MANY = 40
SKIPPED = frozenset({"Documentation", "tools", "samples", "scripts", "usr"})
_EXPORTS = re.compile(rb"EXPORT(?:_UNUSED)?_SYMBOL\w*\s*\(\s*(\w+)")


class Headers:
    """The headers that every part of a kernel may include, with the sources of ``patched``.

    ``patched``: text of the files that the series touches, without comments.
    """

    def __init__(self, view: TreeView, arch: str, patched: Mapping[str, str]) -> None:
        self._view = view
        self._roots = ("include/", f"arch/{arch}/include/", "include/uapi/")
        self._patched = patched
        self._edges: dict[str, tuple[str, ...]] = {}
        self._closures: dict[str, frozenset[str]] = {}

    @cached_property
    def texts(self) -> dict[str, str]:
        """The text of each file by name, unchanged."""
        found: dict[str, str] = dict(self._patched)
        for root in (self._roots[0], self._roots[1]):
            for name in self._view.names(root.rstrip("/"), ".h"):
                found.setdefault(name, self._view.read(name) or "")
        return found

    def seen_by(self, file: str) -> frozenset[str]:
        """``file`` and everything that it includes, directly or indirectly."""
        known = self._closures.get(file)
        if known is None:
            seen, waiting = {file}, [file]
            while waiting:
                fresh = [name for name in self._direct(waiting.pop()) if name not in seen]
                seen.update(fresh)
                waiting += fresh
            known = self._closures[file] = frozenset(seen)
        return known

    def _direct(self, file: str) -> tuple[str, ...]:
        known = self._edges.get(file)
        if known is None:
            text = self.texts.get(file) or self._view.read(file) or ""
            known = self._edges[file] = tuple(self._resolve(file, text))
        return known

    def _resolve(self, file: str, text: str) -> Iterator[str]:
        beside = PurePosixPath(file).parent
        for quoted, name in ctext.includes(text):
            places = [os.path.normpath(beside / name)] if quoted else []
            places += [root + name for root in self._roots]
            place = next((one for one in places if self._is_there(one)), None)
            if place is not None:
                yield place

    def _is_there(self, name: str) -> bool:
        return name in self.texts or self._view.locate(name).is_file()


@dataclass(frozen=True)
class Use:
    """A definition, in ``file``, of the type ``key`` that has another type inside."""

    key: str
    file: str


class TypeReach:
    """The types that have a changed type inside, found by following members through pointers.

    ``changed``: the types and the file of each.  ``sources``: files that no header leads to.
    """

    def __init__(
        self, headers: Headers, changed: Mapping[str, str], sources: Collection[str]
    ) -> None:
        self._headers = headers
        self._changed = changed
        self._plain: dict[str, str] = {}
        self._uses: dict[str, set[Use]] = {}
        self._inside: dict[Use, set[str]] = {}
        for name in sources:
            self._read(name)
        self._reached = set(changed)
        self._follow()

    def _follow(self) -> None:
        frontier = self._reached
        while frontier:
            tails = {key.rpartition(" ")[2] for key in frontier}
            for name, text in self._headers.texts.items():
                if name not in self._plain and _is_likely(tails, text):
                    self._read(name)
            users = {use.key for key in frontier for use in self._uses.get(key, ())}
            frontier = users - self._reached
            self._reached = self._reached | frontier

    def _read(self, name: str) -> None:
        plain = self._plain[name] = ctext.for_genksyms(self._headers.texts[name])
        for key, definition in ctext.definitions(plain).items():
            use = Use(key, name)
            self._inside.setdefault(use, set()).update(definition.mentions)
            for mention in definition.mentions:
                self._uses.setdefault(mention, set()).add(use)

    def signatures(self, wanted: Mapping[str, object]) -> dict[str, frozenset[str]]:
        """The types in each ``wanted`` symbol's declaration that have a changed one inside."""
        found: dict[str, frozenset[str]] = {}
        for plain in self._plain.values():
            for symbol, declaration in ctext.declarations(plain, wanted):
                used = self._reached.intersection(ctext.references(declaration))
                if used:
                    found[symbol] = found.get(symbol, frozenset()) | used
        return found

    def chain(self, types: Collection[str], file: str) -> tuple[str, ...]:
        """The shortest way from one of ``types`` to a changed type; empty if there is none.

        It uses only definitions that ``file`` sees.
        """
        seen = self._headers.seen_by(file)
        ways: dict[str, tuple[str, ...]] = {key: (key,) for key in sorted(types)}
        frontier = list(ways)
        while frontier:
            for key in frontier:
                if self._changed.get(key) in seen:
                    return ways[key]
            fresh: list[str] = []
            for key in frontier:
                for inner in sorted(self._members(key, seen) - ways.keys()):
                    ways[inner] = (*ways[key], inner)
                    fresh.append(inner)
            frontier = fresh
        return ()

    def _members(self, key: str, seen: frozenset[str]) -> set[str]:
        """The reached types inside ``key``, as the files of ``seen`` define it."""
        found: set[str] = set()
        for file in self._homes.get(key, ()):
            if file in seen:
                found |= self._inside[Use(key, file)]
        return found & self._reached

    @cached_property
    def _homes(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for use in self._inside:
            found.setdefault(use.key, []).append(use.file)
        return found


def _is_likely(names: Collection[str], text: str) -> bool:
    """Whether a text is worth parsing: a cheap search for few names, always True for many."""
    return len(names) > MANY or any(name in text for name in names)


def exporters(view: TreeView, symbols: Collection[str], arch: str) -> dict[str, str]:
    """The source file that exports each of ``symbols``, other architectures excluded."""
    found: dict[str, str] = {}
    if not symbols:
        return found
    wanted = {symbol.encode() for symbol in symbols}
    for name in _sources(view, arch):
        data = view.locate(name).read_bytes()
        if b"EXPORT_" in data:
            for symbol in wanted.intersection(_EXPORTS.findall(data)):
                found.setdefault(symbol.decode(), name)
    return found


def _sources(view: TreeView, arch: str) -> Iterator[str]:
    for folder, folders, files in os.walk(view.tree):
        here = Path(folder).relative_to(view.tree)
        if here == Path():
            folders[:] = [one for one in folders if one not in SKIPPED]
        if here == Path("arch"):
            folders[:] = [one for one in folders if one == arch]
        folders.sort()
        for file in sorted(files):
            if file.endswith(".c") and view.locate(str(here / file)).is_file():
                yield str(here / file)
