"""One copy of a header: the layouts of some of its structures, and the values of its names."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping

from builder.forensics import ctext, preprocess
from builder.forensics.ctypes_known import STRUCTURES, TYPEDEFS
from builder.forensics.cvalue import Values, evaluate, parse_expression
from builder.forensics.layout import Layouts, Shape

_SUSPECT = re.compile(r"[;{]\s*(?:(?:const|volatile)\s+)*([A-Za-z_]\w*)\s+\**\s*\w+\s*[;\[:]")
_WORDS = "char short int long signed unsigned float double void _Bool struct union enum typedef"


class CHeader:
    """A header: ``text`` is the file's content, ``defines`` are macros set before it is read.

    Raises ValueError if it cannot be read.
    """

    def __init__(self, text: str, defines: Mapping[str, str]) -> None:
        try:
            self._run = preprocess.preprocess(text, defines, evaluate)
        except preprocess.Unclear as error:
            raise ValueError(f"line {error.line}: {error.text} cannot be judged") from error
        self._statements = tuple(preprocess.statements(self._run.text))
        self._home = {
            key: number
            for number, statement in enumerate(self._statements)
            for key in preprocess.names(statement)
        }

    @property
    def structures(self) -> tuple[str, ...]:
        """Names of all structures that it defines."""
        return tuple(k.removeprefix("struct ") for k in self._home if k.startswith("struct "))

    def shapes(self, names: Collection[str]) -> dict[str, Shape]:
        """The layouts of the structures ``names``, which it must define."""
        keys = [f"struct {name}" for name in names]
        text = "\n".join(self._needed(keys))
        try:
            layouts = Layouts(text)
        except ValueError as error:
            # The parser fails on an unknown type's name, and does not report the name.
            unknown = sorted(
                set(_SUSPECT.findall(text)).difference(_WORDS.split(), TYPEDEFS, self._home)
            )
            reason = f"types that are not known: {', '.join(unknown)}" if unknown else str(error)
            raise ValueError(reason) from error
        return {name: layouts.shape(f"struct {name}") for name in names}

    def _needed(self, keys: Collection[str]) -> Iterator[str]:
        """The definitions of ``keys``, of types they mention, and types from other headers."""
        wanted: set[int] = {n for n, text in enumerate(self._statements) if _is_enum(text)}
        mentioned: set[str] = set()
        waiting = [self._home[key] for key in keys] + list(wanted)
        while waiting:
            number = waiting.pop()
            wanted.add(number)
            found = frozenset(ctext.references(self._statements[number])) - mentioned
            mentioned |= found
            waiting += [self._home[key] for key in found if key in self._home]
        yield from (
            f"typedef {meaning} {name};"
            for name, meaning in TYPEDEFS.items()
            if name in mentioned and name not in self._home
        )
        yield from (text for key, text in STRUCTURES.items() if key not in self._home)
        yield from (self._statements[number] for number in sorted(wanted))

    def numbers(self, wanted: Callable[[str], bool]) -> dict[str, int]:
        """Values of the macros and enumerators that are ``wanted``, if they are integers."""
        enums = Layouts("\n".join(text for text in self._statements if _is_enum(text)))
        found = {name: value for name, value in enums.values.names.items() if wanted(name)}
        for name, value in self._run.macros.items():
            if value and wanted(name):
                number = _number(self._run.expand(value), enums.values)
                if number is not None:
                    found[name] = number
        return found


def _is_enum(statement: str) -> bool:
    return re.match(r"enum\b", statement) is not None


def _number(text: str, values: Values) -> int | None:
    try:
        return values.of(parse_expression(text))
    except ValueError:
        return None
