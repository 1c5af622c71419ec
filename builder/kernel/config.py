"""Kernel configuration fragments: read, merged into one file, compared with the result.

A fragment has the syntax of a ``.config`` (Documentation/kbuild/kconfig.rst): ``CONFIG_X=y``
(or ``m``, ``n``, a string, a number), ``# CONFIG_X is not set``, other comments, empty lines.
The same comparison runs inside the package's build (``check-config.sh``), because a source RPM
must be as strict as the pipeline.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from builder import text as texts
from builder.errors import UsageError

OFF = "n"
_SYMBOL = re.compile(r"CONFIG_[A-Za-z0-9_]+")
_SET = re.compile(r"(CONFIG_[A-Za-z0-9_]+)=(.*)")
_UNSET = re.compile(r"# (CONFIG_[A-Za-z0-9_]+) is not set")
_VALUE = re.compile(r'[ymn]|-?[0-9]+|0[xX][0-9a-fA-F]+|"(?:[^"\\]|\\.)*"')


class LineOrigin(msgspec.Struct, frozen=True):
    """The place of a line: the fragment's file name and a line number from 1."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


class Option(msgspec.Struct, frozen=True):
    """One wanted symbol, with its ``CONFIG_`` prefix; ``value`` as written (``n`` for not set)."""

    symbol: str
    value: str
    origin: LineOrigin

    @property
    def line(self) -> str:
        """The line in ``.config`` syntax."""
        if self.value == OFF:
            return f"# {self.symbol} is not set"
        return f"{self.symbol}={self.value}"


class Mismatch(msgspec.Struct, frozen=True):
    """A symbol that the kernel did not accept as written."""

    option: Option
    got: str

    def __str__(self) -> str:
        wanted = self.option
        return f"config: {wanted.symbol} wanted={wanted.value} got={self.got} ({wanted.origin})"


def _malformed(origin: LineOrigin, line: str) -> UsageError:
    return UsageError(
        f"kernel configuration {origin} is malformed",
        line,
        'write CONFIG_X=y, =m, =n, a number, "a string", or "# CONFIG_X is not set"',
    )


def _parse_line(line: str, origin: LineOrigin) -> Option | None:
    if unset := _UNSET.fullmatch(line):
        return Option(unset[1], OFF, origin)
    # A comment that almost switches something off is a mistake, not a comment.
    if line.startswith("#") and not ("is not set" in line and _SYMBOL.search(line)):
        return None
    if (found := _SET.fullmatch(line)) and _VALUE.fullmatch(found[2]):
        return Option(found[1], found[2], origin)
    raise _malformed(origin, line)


def parse(text: str, name: str) -> tuple[Option, ...]:
    """The options of one fragment; ``name`` stands for it in messages.

    Raises UsageError with ``name:line`` for a line that is neither an option nor a comment.
    """
    found = (
        _parse_line(line.rstrip(), LineOrigin(name, number))
        for number, line in enumerate(text.splitlines(), 1)
        if line.strip()
    )
    return tuple(option for option in found if option is not None)


def combine(options: Iterator[Option]) -> tuple[Option, ...]:
    """All options, each symbol once.

    Raises UsageError that names both places if a symbol is there twice, even with the same value:
    the second of two equal lines would be forgotten when the first is changed.
    """
    seen: dict[str, Option] = {}
    for option in options:
        if first := seen.get(option.symbol):
            alike = "repeats" if first.value == option.value else "contradicts"
            raise UsageError(
                f"kernel configuration {option.origin} {alike} {first.origin}",
                f"{first.line} there, {option.line} here",
                f"keep one of the two lines for {option.symbol}",
            )
        seen[option.symbol] = option
    return tuple(seen.values())


def _read(path: Path) -> tuple[Option, ...]:
    try:
        text = texts.read(path)
    except OSError as error:
        raise UsageError(
            f"kernel configuration fragment {path.name} cannot be read",
            str(error),
            "fragments are UTF-8 files in kernel-config/; profile.toml names them",
        ) from error
    return parse(text, path.name)


def load(fragments: Sequence[Path]) -> tuple[Option, ...]:
    """The options of all fragments together.  Raises UsageError as ``parse`` and ``combine`` do."""
    return combine(option for path in fragments for option in _read(path))


def merge(fragments: Sequence[Path]) -> str:
    """One file in ``.config`` syntax, each option under a comment with its origin.

    ``check-config.sh`` names these comments in its messages.  Raises UsageError.
    """
    return "".join(f"# from {option.origin}\n{option.line}\n" for option in load(fragments))


def compare(wanted: Sequence[Option], final: str) -> tuple[Mismatch, ...]:
    """The differences in the final ``.config`` (its text); an absent symbol is ``n`` there."""
    got = {option.symbol: option.value for option in parse(final, ".config")}
    return tuple(
        Mismatch(option, got.get(option.symbol, OFF))
        for option in wanted
        if got.get(option.symbol, OFF) != option.value
    )
