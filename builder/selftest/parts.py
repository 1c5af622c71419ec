"""What is run, in order: the quick parts first."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from builder.host import process

COVERAGE_GATE = 88
"""Percent of the program's lines and branches that the unit tests alone run."""
SLOW = 20
"""Seconds from which a test is listed with its time."""
LEVELS = ("unit", "small", "whole", "long")
CI_LEVELS = LEVELS[:3]
Scope = Literal["fast", "ci", "long"]


@dataclass(frozen=True)
class CheckCommand:
    """One program to run; its name is what a failure is called."""

    name: str
    argv: tuple[str, ...]
    env: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Part:
    """Checks whose time is reported, and limited, together.

    ``outcomes``: the file in JUnit's format that its tests write.
    """

    name: str
    checks: tuple[CheckCommand, ...]
    outcomes: Path | None = None


def _shell_scripts(root: Path) -> list[str]:
    """Every shell script that git knows: by ending, or by its first line."""
    listed = process.run(["git", "ls-files", "-z"], cwd=root).text
    scripts = []
    for name in listed.split("\0"):
        path = root / name
        if not name or not path.is_file() or name.endswith((".j2", ".patch")):
            continue
        with path.open("rb") as stream:
            first = stream.readline(80)
        if name.endswith(".sh") or first.startswith((b"#!/bin/sh", b"#!/bin/bash")):
            scripts.append(name)
    return sorted(scripts)


def linters(root: Path) -> Part:
    """Format, rules, types and shell scripts."""
    python = sys.executable
    return Part(
        "linters",
        (
            CheckCommand("ruff", (python, "-m", "ruff", "check", ".")),
            CheckCommand("ruff format", (python, "-m", "ruff", "format", "--check", ".")),
            CheckCommand("mypy", (python, "-m", "mypy")),
            CheckCommand("shellcheck", ("shellcheck", *_shell_scripts(root))),
        ),
    )


def level(name: str, scratch: Path, *, coverage: bool, places: tuple[str, ...] = ()) -> Part:
    """The tests of one level; their outcomes and coverage data are written to ``scratch``.

    ``coverage`` doubles what Python costs, child processes included.  ``places``: folders, files or
    tests below the level's folder (default: all of it).
    """
    outcomes = scratch / f"{name}.xml"
    argv = [sys.executable, "-m", "pytest", "--level", name, "-q"]
    # The older of pytest's two formats has the file of every test.
    argv += [f"--junitxml={outcomes}", "-o", "junit_family=xunit1"]
    argv += ["--durations=25", f"--durations-min={SLOW}"]
    if name == "unit":  # these share nothing
        argv += ["-n", "auto", "--dist", "loadfile"]
    if name in ("small", "whole"):  # tests/levels.py keeps those together that share a machine
        argv += ["-n", "auto", "--dist", "loadgroup"]
    argv += [f"tests/{name}/{place}" for place in places]
    if not coverage:
        return Part(name, (CheckCommand(f"pytest {name}", tuple(argv)),), outcomes)
    argv += ["--cov", "--cov-report="]
    env = (("COVERAGE_FILE", str(scratch / f"coverage-{name}")),)
    return Part(name, (CheckCommand(f"pytest {name}", tuple(argv), env),), outcomes)


def coverage(scratch: Path, gate: int = COVERAGE_GATE) -> Part:
    """The unit level's coverage, compared with the gate."""
    argv = (sys.executable, "-m", "coverage", "report", f"--data-file={scratch / 'coverage-unit'}")
    return Part("coverage", (CheckCommand("coverage", (*argv, f"--fail-under={gate}")),))


def parts(
    root: Path, scope: Scope, scratch: Path, places: tuple[str, ...] = ()
) -> tuple[Part, ...]:
    """The parts of a run; ``long`` is the fourth level alone, or these ``places`` of it."""
    if scope == "long":
        return (level("long", scratch, coverage=False, places=places),)
    if scope == "fast":
        return (linters(root), level("unit", scratch, coverage=False))
    tests = (level(name, scratch, coverage=name == "unit") for name in CI_LEVELS)
    return (linters(root), *tests, coverage(scratch))
