"""Which configuration symbols a patch series adds, changes or removes.

Only the Kconfig files that it touches are read, each before and after; syntax:
Documentation/kbuild/kconfig-language.rst.  A changed help text does not count.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import PurePosixPath

import msgspec

from builder.forensics.view import TreeView

TYPES = ("bool", "tristate", "string", "hex", "int")
DEFINING = ("config", "menuconfig", "choice")
OPENING = ("choice", "if", "menu")
CLOSING = ("endchoice", "endif", "endmenu")
LONE = ("comment", "source", "rsource", "osource", "orsource", "mainmenu")
ATTRIBUTES = ("default", "range", "select", "imply", "depends", "option")
FIELDS = ("type", "prompt", "defaults", "ranges", "depends", "selects", "implies", "options")
SINGULAR = {"defaults": "default", "ranges": "range", "selects": "select", "implies": "imply"}
_COMMENT = re.compile(r"""("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')|#.*""")
_PROMPT = re.compile(r"""^("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')\s*(?:if\s+(.*))?$""")


class Symbol(msgspec.Struct, frozen=True):
    """One definition of a symbol or of a choice; an unnamed choice has its prompt as ``name``.

    Values include their conditions: ``8 20``, ``y if SMP``.  ``depends`` starts with the
    conditions of the enclosing menus, ifs and choices, outermost first.
    """

    name: str
    kind: str
    type: str = ""
    prompt: str = ""
    defaults: tuple[str, ...] = ()
    ranges: tuple[str, ...] = ()
    depends: tuple[str, ...] = ()
    selects: tuple[str, ...] = ()
    implies: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


class ChangeKind(StrEnum):
    ADDED = "added"
    CHANGED = "changed"
    REMOVED = "removed"


class SymbolChange(msgspec.Struct, frozen=True):
    """The change of one definition; ``file``: where it is, or was if it is removed."""

    name: str
    file: str
    change: ChangeKind
    before: Symbol | None = None
    after: Symbol | None = None

    @property
    def differences(self) -> tuple[str, ...]:
        """Each attribute that is not as before: ``range 8 20 -> 8 22``."""
        return tuple(_differences(self.before, self.after))

    def line(self) -> str:
        """The line to print."""
        shown = ", ".join(self.differences)
        return f"{self.name} ({self.file}) {self.change}" + (f": {shown}" if shown else "")


class KconfigReport(msgspec.Struct, frozen=True):
    """All changes, in the order of the files' names and of the definitions in them."""

    changes: tuple[SymbolChange, ...] = ()

    @property
    def questions(self) -> tuple[str, ...]:
        """Symbols with a prompt that they did not have before (no CONFIG_ prefix).

        A configuration without a line for one of them is incomplete: ``nonint_oldconfig``
        of Red Hat's kernels then fails.
        """
        asked = [
            change.name
            for change in self.changes
            if change.after is not None
            and change.after.kind != "choice"
            and change.after.prompt
            and not (change.before is not None and change.before.prompt)
        ]
        return tuple(dict.fromkeys(asked))

    def lines(self) -> tuple[str, ...]:
        """The lines to print."""
        return tuple(f"Kconfig: {change.line()}" for change in self.changes)


def compare(before: TreeView, after: TreeView, touched: frozenset[str]) -> KconfigReport:
    """The changes of the symbols in those ``touched`` files that are Kconfig files."""
    names = sorted(n for n in touched if PurePosixPath(n).name.startswith(("Kconfig", "Config.in")))
    changes = [
        change
        for name in names
        for change in _compare_file(name, before.read(name) or "", after.read(name) or "")
    ]
    return KconfigReport(tuple(changes))


def _compare_file(file: str, before: str, after: str) -> Iterator[SymbolChange]:
    old, new = list(parse(before)), list(parse(after))
    # A symbol may be defined several times: equal definitions are paired first, then in order.
    for symbol in [symbol for symbol in new if symbol in old]:
        if symbol in old:
            old.remove(symbol)
            new.remove(symbol)
    for symbol in new:
        previous = next((one for one in old if one.name == symbol.name), None)
        if previous is None:
            yield SymbolChange(symbol.name, file, ChangeKind.ADDED, None, symbol)
        else:
            old.remove(previous)
            yield SymbolChange(symbol.name, file, ChangeKind.CHANGED, previous, symbol)
    for symbol in old:
        yield SymbolChange(symbol.name, file, ChangeKind.REMOVED, symbol, None)


def _differences(before: Symbol | None, after: Symbol | None) -> Iterator[str]:
    for name in FIELDS:
        old, new = _shown(before, name), _shown(after, name)
        if old == new or after is None:
            continue
        label = SINGULAR.get(name, name)
        if before is None:
            yield new if name == "type" else f"{label} {new}"
        else:
            yield f"{label} {old or 'none'} -> {new or 'none'}"


def _shown(symbol: Symbol | None, name: str) -> str:
    value = () if symbol is None else getattr(symbol, name)
    if isinstance(value, str):
        return f'"{value}"' if name == "prompt" and value else value
    return (" && " if name == "depends" else ", ").join(value)


@dataclass
class _Block:
    """A definition or an enclosing menu, if or choice while it is being read."""

    kind: str
    name: str = ""
    type: str = ""
    prompt: str = ""
    around: tuple[str, ...] = ()
    found: dict[str, list[str]] = field(default_factory=dict)

    def add(self, key: str, value: str) -> None:
        self.found.setdefault(key, []).append(value)

    def get(self, key: str) -> tuple[str, ...]:
        return tuple(self.found.get(key, ()))

    def symbol(self) -> Symbol:
        return Symbol(
            name=self.name or (f'choice "{self.prompt}"' if self.prompt else "choice"),
            kind=self.kind,
            type=self.type,
            prompt=self.prompt,
            defaults=self.get("default"),
            ranges=self.get("range"),
            depends=(*self.around, *self.get("depends")),
            selects=self.get("select"),
            implies=self.get("imply"),
            options=self.get("option"),
        )


@dataclass
class _Reader:
    """The current place in the nested menus, ifs and choices of a file."""

    open: list[_Block] = field(default_factory=list)
    current: _Block | None = None
    done: list[_Block] = field(default_factory=list)

    @property
    def around(self) -> tuple[str, ...]:
        return tuple(text for block in self.open for text in block.get("depends"))

    def take(self, word: str, rest: str) -> None:
        if word in DEFINING:
            self.current = _Block(word, rest, around=self.around)
            self.done.append(self.current)
        elif word in ("if", "menu"):
            # A menu's own dependencies follow as attributes; the block takes them.
            self.current = _Block(word)
            if word == "if":
                self.current.add("depends", rest)
        elif word in CLOSING:
            self.open = self.open[:-1]
        if word in OPENING and self.current is not None:
            self.open.append(self.current)
        elif word in CLOSING or word in LONE:
            self.current = None
        elif word not in DEFINING and self.current is not None:
            _describe(self.current, word, rest)


def parse(text: str) -> tuple[Symbol, ...]:
    """The definitions of one file in their order; text that is not Kconfig is ignored."""
    reader = _Reader()
    for line in _statements(text):
        word, _, rest = line.partition(" ")
        reader.take(word, rest.strip())
    return tuple(block.symbol() for block in reader.done)


def _describe(block: _Block, word: str, rest: str) -> None:
    base = word.removeprefix("def_").replace("boolean", "bool")
    if base in TYPES:
        block.type = base
        if rest and not word.startswith("def_"):
            _ask(block, rest)
        elif rest:
            block.add("default", rest)
    elif word == "prompt":
        _ask(block, rest)
    elif word == "depends":
        block.add(word, rest.removeprefix("on").strip())
    elif word in ATTRIBUTES:
        block.add(word, rest)
    elif word in ("optional", "modules", "transitional"):
        block.add("option", word)


def _ask(block: _Block, rest: str) -> None:
    found = _PROMPT.match(rest)
    text = rest if found is None else found[1][1:-1]
    condition = found[2] if found is not None else None
    block.prompt = f"{text} if {condition}" if condition else text


def _statements(text: str) -> Iterator[str]:
    """One statement a line: no comments, no help, continued lines joined, single spaces."""
    lines = iter(text.expandtabs(8).replace("\\\n", " ").split("\n"))
    indent: int | None = None
    helping = False
    for line in lines:
        depth = len(line) - len(line.lstrip())
        if helping and line.strip():
            # Help ends where a line is indented less than its first line.
            if indent is None:
                indent = depth
            if depth >= indent > 0:
                continue
            helping = False
        statement = " ".join(_COMMENT.sub(lambda found: found[1] or "", line).split())
        if statement in ("help", "---help---"):
            helping, indent = True, None
        elif statement and not helping:
            yield statement
