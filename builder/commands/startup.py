"""How long the command line takes to start: medians, compared with ``import invoke``.

Each round starts every command once, so that other load on the machine falls on all of them.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass

from builder.place import Place

ROUNDS = 20
BARE = (sys.executable, "-c", "import invoke")


@dataclass(frozen=True)
class Figure:
    """One measurement: its subject, its value with unit, and its bound."""

    what: str
    value: str
    bound: str


@dataclass(frozen=True)
class StartedCommand:
    """Words after the program's name, and the ratio to ``BARE`` that it should not exceed.

    ``first``: measured until its first line of output.
    """

    words: tuple[str, ...]
    bound: float
    first: bool = False

    @property
    def what(self) -> str:
        shown = f"`{' '.join(self.words)}`"
        return f"first line of {shown}" if self.first else shown


def commands(profile: str) -> tuple[StartedCommand, ...]:
    """The commands that need no build."""
    return (
        StartedCommand(("--list",), 1.3),
        StartedCommand(("explain", "smoke", "--profile", profile), 2.2),
        StartedCommand(("doctor", "--profile", profile), 1.3, first=True),
        StartedCommand(("show",), 1.3, first=True),
        StartedCommand(("show", "stages", "--profile", profile), 1.5, first=True),
    )


def measure(place: Place, wanted: tuple[StartedCommand, ...], rounds: int = ROUNDS) -> list[Figure]:
    """Seconds and ratios of ``wanted``, in the project and with the cache of ``place``.

    A command's exit status makes no difference: it is only timed.
    """
    taken: dict[StartedCommand | None, list[float]] = {one: [] for one in (None, *wanted)}
    environment = {**os.environ, "LVS_BUILDER_CACHE": str(place.cache.root)}
    for _ in range(rounds):
        for one, seconds in taken.items():
            words = BARE if one is None else (sys.executable, "-m", "builder", *one.words)
            first = one is not None and one.first
            seconds.append(_timed(words, place, environment, first=first))
    bare = statistics.median(taken.pop(None))
    figures = [Figure(f"`import invoke`, median of {rounds}", f"{bare:.2f} s", "")]
    for one, seconds in taken.items():
        if one is not None:
            took = statistics.median(seconds)
            figures.append(Figure(one.what, f"{took / bare:.2f} ({took:.2f} s)", f"{one.bound}"))
    return figures


def _timed(
    words: tuple[str, ...], place: Place, environment: Mapping[str, str], *, first: bool
) -> float:
    begun = time.monotonic()
    with subprocess.Popen(
        words,
        cwd=place.project.root,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as running:
        if running.stdout is not None:
            running.stdout.readline()
            took = time.monotonic() - begun
            running.stdout.read()
    return took if first else time.monotonic() - begun


def table(figures: list[Figure]) -> str:
    """All figures as a Markdown table."""
    rows = [f"| {one.what} | {one.value} | {one.bound} |" for one in figures]
    return "\n".join(["| measured | value | bound |", "| --- | --- | --- |", *rows])
