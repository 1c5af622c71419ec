"""Every test has exactly one level, and a unit test that starts or asks something fails."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.selftest.project import ROOT, SETTINGS

MARKED = """\
import pytest


def test_plain():
    pass


@pytest.mark.guest
def test_with_a_need():
    pass


@pytest.mark.whole
class TestClass:
    def test_of_the_class(self):
        pass

    @pytest.mark.long
    @pytest.mark.guest
    def test_nearest(self):
        pass
"""
NAUGHTY = """\
import os
import socket
import subprocess
import pytest


def test_asks_the_registry():
    subprocess.run(["sh", "-c", "apt-get update"], check=False)


def test_connects_to_others():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.connect(("192.0.2.1", 9))


def test_is_well_behaved():
    assert subprocess.run(["apt-get", "--version"], capture_output=True, check=True).stdout
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.connect(("127.0.0.1", 9))


@pytest.mark.registry
def test_says_what_it_needs():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.connect(("192.0.2.1", 9))
"""


def run(folder: Path, text: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run pytest on a file of tests, in a project with our rules."""
    settings = SETTINGS.replace("-p tests.levels", "-p tests.levels -p tests.guard")
    (folder / "pyproject.toml").write_text(settings)
    (folder / "tests").mkdir(exist_ok=True)
    (folder / "tests" / "test_some.py").write_text(text)
    argv = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        "-p",
        "xdist",
        "-rA",
        *options,
    ]
    env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "PYTHONPATH": str(ROOT)}
    env["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # of the others none is needed, all take time
    return subprocess.run(argv, cwd=folder, env=env, capture_output=True, text=True, check=False)


def passed(ended: subprocess.CompletedProcess[str]) -> set[str]:
    lines = ended.stdout.splitlines()
    return {line.rpartition("::")[2] for line in lines if line.startswith("PASSED")}


@pytest.mark.parametrize(
    ("levels", "names"),
    [
        (("unit",), {"test_plain"}),
        (("small",), {"test_with_a_need"}),
        (("whole",), {"test_of_the_class"}),
        (("long",), {"test_nearest"}),
        ((), {"test_plain", "test_with_a_need", "test_of_the_class"}),
    ],
)
def test_a_level_is_the_nearest_mark_or_follows_from_the_need(
    tmp_path: Path, levels: tuple[str, ...], names: set[str]
) -> None:
    ended = run(tmp_path, MARKED, *(f"--level={level}" for level in levels))
    assert passed(ended) == names, ended.stdout


@pytest.mark.parametrize(
    ("marks", "words"),
    [
        (("unit", "small"), "has two levels: small and unit"),
        (("unit", "engine"), "is a unit test that needs: engine"),
    ],
)
def test_marks_that_contradict_each_other_are_refused(
    tmp_path: Path, marks: tuple[str, ...], words: str
) -> None:
    lines = "".join(f"@pytest.mark.{mark}\n" for mark in marks)
    ended = run(tmp_path, f"import pytest\n\n\n{lines}def test_it():\n    pass\n")
    assert ended.returncode == pytest.ExitCode.USAGE_ERROR
    assert f"tests/test_some.py::test_it {words}" in ended.stderr


@pytest.mark.skipif(shutil.which("apt-get") is None, reason="this host has no apt client")
def test_a_unit_test_that_starts_or_asks_something_fails(tmp_path: Path) -> None:
    ended = run(tmp_path, NAUGHTY)
    good = {"test_is_well_behaved", "test_says_what_it_needs"}
    assert "a unit test ran apt-get update: give it the mark of its need" in ended.stdout
    assert "a unit test connected to ('192.0.2.1', 9): give it the mark" in ended.stdout
    errors = {line for line in ended.stdout.splitlines() if line.startswith("ERROR tests")}
    assert len(errors) == 2
    assert good <= passed(ended)
