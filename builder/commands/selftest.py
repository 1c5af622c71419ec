"""Linters, types, tests and coverage: what CI runs, and its quick part."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from builder.console import Console
from builder.host import process
from builder.host.paths import Project

COVERAGE_GATE = 88
FAST = "not engine and not guest and not registry and not pipeline and not rpmbuild"


@dataclass(frozen=True)
class Check:
    """One program to run; its name is what a failure is called."""

    name: str
    argv: tuple[str, ...]


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


def checks(root: Path, *, fast: bool) -> list[Check]:
    """What is run, in order: the quick ones first."""
    python = sys.executable
    pytest = [python, "-m", "pytest"]
    if fast:
        pytest += ["-m", FAST, "-q", "-n", "auto", "--dist", "loadfile"]
    else:
        pytest += ["--cov", "--cov-report=term", f"--cov-fail-under={COVERAGE_GATE}"]
    return [
        Check("ruff", (python, "-m", "ruff", "check", ".")),
        Check("ruff format", (python, "-m", "ruff", "format", "--check", ".")),
        Check("mypy", (python, "-m", "mypy")),
        Check("shellcheck", ("shellcheck", *_shell_scripts(root))),
        Check("pytest", tuple(pytest)),
    ]


def run(project: Project, console: Console, *, fast: bool) -> int:
    """Run all checks, also after one has failed; returns 0 if all passed, else 1.

    Their output goes straight to the user.
    """
    failed = []
    for check in checks(project.root, fast=fast):
        console.say(f"running {check.name}")
        with process.start(check.argv, cwd=project.root, stdout=None, stderr=None) as running:
            if running.wait() != 0:
                failed.append(check.name)
    if failed:
        console.say(f"failed: {', '.join(failed)}")
    return 1 if failed else 0
