"""Tests that take the whole machine run one at a time, and those of a file one after the other."""

from __future__ import annotations

import collections
import subprocess
import sys
from pathlib import Path

from builder.selftest import outcome
from tests.world import ROOT

TESTS = """
import os
import time

import pytest

@pytest.mark.parametrize("number", range(6))
def test_of_one_file(number, record_property):
    record_property("ran", os.environ["PYTEST_XDIST_WORKER"])
    time.sleep(0.02)

@pytest.mark.engine
@pytest.mark.parametrize("number", range(6))
def test_that_takes_the_machine(number, record_property):
    record_property("ran", os.environ["PYTEST_XDIST_WORKER"])
    time.sleep(0.02)
"""


WHOLE = """
import os
import time

def test_of_a_folder(record_property):
    record_property("ran", os.environ["PYTEST_XDIST_WORKER"])
    record_property("at", time.monotonic_ns())
"""


def ran(root: Path, level: str) -> tuple[outcome.CaseOutcome, ...]:
    """What two workers made of the tests under ``root``."""
    (root / "conftest.py").write_text('pytest_plugins = ("tests.levels",)\n')
    (root / "pytest.ini").write_text("[pytest]\nmarkers = engine: x\n")
    outcomes = root / "outcomes.xml"
    words = ("--level", level, "-n", "2", "--dist", "loadgroup")
    written = (f"--junitxml={outcomes}", "-o", "junit_family=xunit1")
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *words, *written, root],
        cwd=root,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout
    return tuple(outcome.read(outcomes))


def test_groups_stay_together(tmp_path: Path) -> None:
    small = tmp_path / "tests" / "small"
    small.mkdir(parents=True)
    for name in ("one", "other"):
        (small / f"test_{name}.py").write_text(TESTS)
    workers = collections.defaultdict(set)
    for one in ran(tmp_path, "small"):
        name = one.test.partition("::")[2].partition("[")[0]
        workers[name if "machine" in name else one.file].add(one.figures["ran"])
    assert len(workers) == 3
    assert all(len(used) == 1 for used in workers.values()), dict(workers)


def test_the_gate_runs_beside_all_else_and_the_fresh_machine_comes_last(tmp_path: Path) -> None:
    rooms = ("disk", "fresh", "gate", "lab")
    for room in rooms:
        folder = tmp_path / "tests" / "whole" / room
        folder.mkdir(parents=True)
        (folder / f"test_{room}.py").write_text(WHOLE)
    figures = {Path(one.file).parent.name: one.figures for one in ran(tmp_path, "whole")}
    workers = {room: figures[room]["ran"] for room in rooms}
    assert workers["disk"] == workers["fresh"] == workers["lab"] != workers["gate"]
    assert max(("disk", "fresh", "lab"), key=lambda room: int(figures[room]["at"])) == "fresh"
