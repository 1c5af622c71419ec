"""Tiny projects with tests of their own, which the real test command runs."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from builder.commands import selftest
from builder.console import Console
from builder.host import process
from builder.host.paths import Project
from builder.selftest.parts import Scope

ROOT = Path(__file__).parents[3]
BUDGET = "[minutes]\nlinters = 1\nunit = 1\n"
SETTINGS = """\
[tool.mypy]
files = ["tests"]
[tool.pytest.ini_options]
testpaths = ["tests"]
addopts = "--strict-markers -p tests.levels"
markers = ["engine", "guest", "registry", "rpmbuild"]
[tool.coverage.run]
parallel = true
patch = ["subprocess"]
source_pkgs = ["program"]
"""
PROGRAM = '''\
"""A program."""


def one() -> int:
    """One."""
    return 1


def two() -> int:
    """Two."""
    return 2
'''


@dataclass(frozen=True)
class Ran:
    """What the test command returned and said."""

    status: int
    said: str


@dataclass(frozen=True)
class Tiny:
    """A project in a folder."""

    root: Path

    def write(self, files: Mapping[str, str]) -> None:
        for name, text in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        self.git("add", "--all")

    def git(self, *words: str) -> str:
        ended = process.run(
            ["git", "-c", "user.name=t", "-c", "user.email=t@t.invalid", *words], cwd=self.root
        )
        assert ended.ok, ended.complaint
        return ended.text.strip()

    def run(self, scope: Scope, *, strict: bool = True, only: tuple[str, ...] = ()) -> Ran:
        said = io.StringIO()
        console = Console(said, interactive=False)
        status = selftest.run(Project(self.root), console, scope=scope, strict=strict, only=only)
        return Ran(status, re.sub(r"^\d\d:\d\d:\d\d ", "", said.getvalue(), flags=re.MULTILINE))


def make(root: Path, monkeypatch: pytest.MonkeyPatch) -> Tiny:
    """A project whose tests take their levels from this one's rules."""
    # Its own folder ``tests`` is not a package, so that ``tests.levels`` is ours.
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    for name in ("COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG", "PYTEST_ADDOPTS"):
        monkeypatch.delenv(name, raising=False)
    root.mkdir()
    tiny = Tiny(root)
    tiny.git("init", "--quiet")
    tiny.write(
        {
            ".gitignore": "__pycache__/\n.*_cache/\n",
            "pyproject.toml": SETTINGS,
            "program.py": PROGRAM,
            "run.sh": "#!/bin/sh\nexit 0\n",
            "tests/budget.toml": BUDGET,
        }
    )
    return tiny
