"""Every test has exactly one level, and a unit test that starts or asks something fails."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from builder.selftest.parts import LEVELS
from tests.levels import NEEDS
from tests.support.selftest.project import ROOT, SETTINGS

FIXTURE = """
@pytest.fixture
def {name}():
    return "a world"
"""
DEEP = """
@pytest.fixture
def deep(pipeline_cache):
    return pipeline_cache
"""
PLAIN = "def test_{level}():\n    pass\n"
NAUGHTY = """\
import os
import socket
import subprocess


def test_asks_the_registry():
    subprocess.run(["sh", "-c", "apt-get update"], check=False)


def test_connects_to_others():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.connect(("192.0.2.1", 9))


def test_is_well_behaved():
    assert subprocess.run(["apt-get", "--version"], capture_output=True, check=True).stdout
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.connect(("127.0.0.1", 9))
"""
ASKING = """\
import socket
import pytest


@pytest.mark.registry
def test_says_what_it_needs():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.connect(("192.0.2.1", 9))
"""


def run(folder: Path, files: Mapping[str, str], *options: str) -> subprocess.CompletedProcess[str]:
    """Run pytest on files of tests, in a project with our rules."""
    settings = SETTINGS.replace("-p tests.levels", "-p tests.levels -p tests.guard")
    (folder / "pyproject.toml").write_text(settings)
    for name, text in files.items():
        path = folder / "tests" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
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
        (("unit",), {"test_unit"}),
        (("small",), {"test_small"}),
        (("whole",), {"test_whole"}),
        (("long",), {"test_long"}),
        ((), {"test_unit", "test_small", "test_whole"}),
    ],
)
def test_a_level_is_a_folder(tmp_path: Path, levels: tuple[str, ...], names: set[str]) -> None:
    files = {f"{level}/room/test_{level}.py": PLAIN.format(level=level) for level in LEVELS}
    ended = run(tmp_path, files, *(f"--level={level}" for level in levels))
    assert passed(ended) == names, ended.stdout


def test_tests_in_the_wrong_folder_are_refused_by_name(tmp_path: Path) -> None:
    worlds = ("small", "own", "pipeline_cache")
    text = "import pytest\n" + "".join(FIXTURE.format(name=name) for name in worlds) + DEEP
    text += "".join(f"\n@pytest.mark.{need}\ndef test_{need}():\n    pass\n" for need in NEEDS)
    takes = "\ndef test_with_{name}({name}):\n    pass\n"
    text += "".join(takes.format(name=name) for name in ("small", "own", "deep"))
    astray = {"room/test_stray.py": PLAIN.format(level="a"), "test_top.py": PLAIN.format(level="b")}
    # Also where another level is asked for.
    ended = run(tmp_path, {"unit/room/test_it.py": text, **astray}, "--level=whole")
    assert ended.returncode == pytest.ExitCode.USAGE_ERROR
    needs = {f"test_{need}": need for need in NEEDS}
    needs |= {
        "test_with_small": "small",
        "test_with_own": "own",
        "test_with_deep": "pipeline_cache",
    }
    it = "tests/unit/room/test_it.py"
    wanted = {f"{it}::{name} needs {need}: move it to tests/small" for name, need in needs.items()}
    one_of = "is in no level's folder: move it to one of " + ", ".join(
        f"tests/{level}" for level in LEVELS
    )
    wanted |= {f"tests/{name} {one_of}" for name in astray}
    assert {line.removeprefix("ERROR: ") for line in ended.stderr.splitlines() if line} == wanted


def test_marks_of_levels_are_no_more(tmp_path: Path) -> None:
    text = f"import pytest\n\n@pytest.mark.small\n{PLAIN.format(level='a')}"
    ended = run(tmp_path, {"unit/test_it.py": text})
    assert ended.returncode == pytest.ExitCode.INTERRUPTED
    assert "'small' not found in `markers`" in ended.stdout


@pytest.mark.skipif(shutil.which("apt-get") is None, reason="this host has no apt client")
def test_a_unit_test_that_starts_or_asks_something_fails(tmp_path: Path) -> None:
    ended = run(tmp_path, {"unit/test_some.py": NAUGHTY, "small/test_asking.py": ASKING})
    good = {"test_is_well_behaved", "test_says_what_it_needs"}
    assert "a unit test ran apt-get update: move it to tests/small" in ended.stdout
    assert "a unit test connected to ('192.0.2.1', 9): move it to" in ended.stdout
    errors = {line for line in ended.stdout.splitlines() if line.startswith("ERROR tests")}
    assert len(errors) == 2
    assert good <= passed(ended)
