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


def test_groups_stay_together(tmp_path: Path) -> None:
    small = tmp_path / "tests" / "small"
    small.mkdir(parents=True)
    for name in ("one", "other"):
        (small / f"test_{name}.py").write_text(TESTS)
    (tmp_path / "conftest.py").write_text('pytest_plugins = ("tests.levels",)\n')
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = engine: x\n")
    outcomes = tmp_path / "outcomes.xml"
    words = ("--level", "small", "-n", "2", "--dist", "loadgroup")
    written = (f"--junitxml={outcomes}", "-o", "junit_family=xunit1")
    ended = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            *words,
            *written,
            tmp_path,
        ],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout
    workers = collections.defaultdict(set)
    for one in outcome.read(outcomes):
        name = one.test.partition("::")[2].partition("[")[0]
        workers[name if "machine" in name else one.file].add(one.figures["ran"])
    assert len(workers) == 3
    assert all(len(used) == 1 for used in workers.values()), dict(workers)
