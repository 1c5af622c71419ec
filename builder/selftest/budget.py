"""Minutes that each part of the tests may take, and what they took."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec

from builder import text as texts
from builder import toml
from builder.selftest.parts import LEVELS

# The parts, and the two sums: of the fast ones, and of all that CI runs.
KNOWN = ("linters", *LEVELS, "coverage", "fast", "ci")
NOTICED_SECONDS = 15.0
HINT = "write lines as: unit = 2.5"
Minutes = Annotated[float, msgspec.Meta(gt=0)]


class Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file as it is written."""

    minutes: dict[str, Any]


@dataclass(frozen=True)
class TimeBudget:
    """``minutes``: the limit of each part, as ``linters``, ``small`` or ``small/engine``."""

    minutes: Mapping[str, float]


def load(path: Path) -> TimeBudget:
    """Read ``tests/budget.toml``.  Raises UsageError with file and line."""
    text = texts.read(path)
    document = toml.convert(path, text, toml.parse(path, text), Document, "", hint=HINT)
    return TimeBudget(
        {
            name: toml.convert(path, text, value, Minutes, f"minutes.{name}", hint=HINT)
            for name, value in document.minutes.items()
        }
    )


def table(budget: TimeBudget, seconds: Mapping[str, float]) -> list[str]:
    """One line for each part: the minutes that it took and may take.

    Parts inside others are listed if they took a noticeable time or have a limit.
    """
    told = {
        name: took
        for name, took in seconds.items()
        if "/" not in name or name in budget.minutes or took >= NOTICED_SECONDS
    }
    width = max(map(len, told), default=0)
    found = []
    for name, took in told.items():
        line = budget.minutes.get(name)
        limit = f" of {line:5.1f}" if line is not None else ""
        found.append(f"{name:{width}} {took / 60:6.1f}{limit} min")
    return found


def over(budget: TimeBudget, seconds: Mapping[str, float]) -> list[str]:
    """Parts that took longer than their limit, by name and figure."""
    return [
        f"{name} took {took / 60:.1f} min, tests/budget.toml allows {budget.minutes[name]:g}"
        for name, took in seconds.items()
        if took / 60 > budget.minutes.get(name, float("inf"))
    ]


def idle(budget: TimeBudget, seconds: Mapping[str, float], ran: tuple[str, ...]) -> list[str]:
    """Limits of parts that do not exist, by themselves or within the ``ran`` parts."""
    tops = {name: name.split("/")[0] for name in budget.minutes}
    return [
        f"tests/budget.toml limits {name}, but there is no such part"
        for name, top in tops.items()
        if name not in seconds and (top in ran or top not in KNOWN)
    ]
