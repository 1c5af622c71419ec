"""The test command on tiny projects: levels, minutes, coverage, and the long tests' record.

Linters, workers and whole runs of pytest: a minute together.
"""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from builder.errors import UsageError
from builder.selftest import budget
from tests.support.selftest import project
from tests.support.selftest.project import ROOT, Tiny

SLOW = "import time\n\n\ndef test_slow() -> None:\n    time.sleep(2)\n"
QUICK = "import program\n\n\ndef test_one() -> None:\n    assert program.one() == 1\n"
SMALL = """\
import pytest

import program

pytestmark = pytest.mark.engine


def test_two() -> None:
    assert program.two() == 2
"""
WHOLE = "def test_all() -> None:\n    pass\n"
LONG = """\
import pytest


def test_passes(record_property: object) -> None:
    assert callable(record_property)
    record_property("minutes: build", 1.5)


def test_fails() -> None:
    raise AssertionError("no")


def test_does_not_apply() -> None:
    pytest.skip("not here")
"""
ENDLESS = """\
import time
from pathlib import Path


def test_is_interrupted() -> None:
    Path("begun").touch()
    time.sleep(99)
"""


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tiny:
    return project.make(tmp_path / "tiny", monkeypatch)


def test_a_part_over_its_line_fails_by_name_and_figure(tiny: Tiny) -> None:
    lines = 'linters = 9\nunit = 0.01\n"unit/deep" = 0.02\n'
    tiny.write({"tests/budget.toml": f"[minutes]\n{lines}", "tests/unit/deep/test_slow.py": SLOW})
    ran = tiny.run("fast")
    assert ran.status == 1
    assert re.search(r"\nfailed: unit took \d+\.\d min, tests/budget.toml allows 0.01", ran.said)
    assert "\nfailed: unit/deep took 0.0 min, tests/budget.toml allows 0.02" in ran.said
    assert "failed: linters" not in ran.said
    assert "failed: pytest" not in ran.said
    # The lines are made for CI's machine; elsewhere they are told.
    ran = tiny.run("fast", strict=False)
    assert ran.status == 0
    assert re.search(r"\nwarning: unit took \d+\.\d min", ran.said)


NEWER = """\
def test_builds(record_property: object) -> None:
    assert callable(record_property)
    record_property("built newer", "kernel 6.1.195-1, where 6.1.192-2 is pinned")
"""


def test_what_was_built_newer_than_its_pin_is_said_at_the_end(tiny: Tiny) -> None:
    tiny.write({"tests/unit/test_quick.py": QUICK, "tests/unit/test_newer.py": NEWER})
    ran = tiny.run("fast", strict=False)
    assert ran.status == 0, ran.said
    last = ran.said.splitlines()[-1]
    assert last == "built newer: kernel 6.1.195-1, where 6.1.192-2 is pinned"


def test_a_line_that_limits_nothing_fails(tiny: Tiny) -> None:
    lines = 'linters = 9\nunit = 9\n"unit/gone" = 1\nunti = 1\nwhole = 1\n'
    tiny.write({"tests/budget.toml": f"[minutes]\n{lines}", "tests/unit/test_quick.py": QUICK})
    ran = tiny.run("fast")
    assert ran.status == 1
    assert [line for line in ran.said.splitlines() if line.startswith("failed")] == [
        "failed: tests/budget.toml limits unit/gone, but there is no such part",
        "failed: tests/budget.toml limits unti, but there is no such part",
    ]


def test_a_linter_that_fails_is_named_and_the_tests_run_all_the_same(tiny: Tiny) -> None:
    tiny.write({"run.sh": "#!/bin/sh\nrm $1\n", "tests/unit/test_quick.py": QUICK})
    ran = tiny.run("fast")
    assert ran.status == 1
    assert ran.said.splitlines()[-1] == "failed: shellcheck"
    assert "running pytest unit" in ran.said


def test_ci_runs_three_levels_and_judges_the_coverage_of_the_first(
    tiny: Tiny, capfd: pytest.CaptureFixture[str]
) -> None:
    quick = QUICK + "\n\ndef test_two() -> None:\n    assert program.two() == 2\n"
    tests = {"unit/test_quick.py": quick, "small/deep/test_small.py": SMALL}
    tests |= {"whole/test_whole.py": WHOLE, "long/test_long.py": LONG}
    tiny.write({f"tests/{name}": text for name, text in tests.items()})
    ran = tiny.run("ci")
    told = capfd.readouterr().out
    assert ran.status == 0, ran.said + told
    assert "100%" in told
    named = [line.split()[0] for line in ran.said.splitlines() if line.endswith(" min")]
    assert named == ["linters", "unit", "small", "whole", "coverage", "ci"]
    # The other half of the program's functions is run by the level ``small`` alone.
    tiny.write({"tests/unit/test_quick.py": QUICK})
    ran = tiny.run("ci")
    assert ran.status == 1
    assert ran.said.splitlines()[-1] == "failed: coverage"


def test_the_long_tests_leave_a_record(tiny: Tiny) -> None:
    tiny.write({"tests/long/test_long.py": LONG, "tests/unit/test_quick.py": QUICK})
    tiny.git("commit", "--quiet", "-m", "all")
    ran = tiny.run("long")
    assert ran.status == 1
    failed = ["failed: tests/long/test_long.py::test_fails", "failed: pytest long"]
    assert ran.said.splitlines()[-2:] == failed
    path = tiny.root / "tests/long-result.json"
    whole = json.loads(path.read_text())
    assert not whole["passed"]
    (made,) = whole["runs"]
    assert made["tested"] == {"commit": tiny.git("rev-parse", "HEAD"), "clean": True}
    assert made["machine"]["processors"] >= 1
    assert not made["passed"]
    assert {test["test"].split("::")[1]: test["verdict"] for test in made["tests"]} == {
        "test_passes": "passed",
        "test_fails": "failed",
        "test_does_not_apply": "skipped",
    }
    assert made["tests"][0]["figures"] == {"minutes: build": "1.5"}
    # Its own file does not make a checkout unclean; another one does.
    tiny.run("long")
    (made,) = json.loads(path.read_text())["runs"]
    assert made["tested"]["clean"]
    tiny.write({"more": ""})
    tiny.run("long")
    (made,) = json.loads(path.read_text())["runs"]
    assert not made["tested"]["clean"]


def test_each_long_test_has_its_last_run_on_record(tiny: Tiny) -> None:
    passes = "def test_{}() -> None:\n    pass\n"
    files = {name: f"tests/long/{name}/test_{name}.py" for name in ("one", "two")}
    tiny.write({file: passes.format(name) for name, file in files.items()})
    tiny.write({files["one"]: LONG})
    tiny.git("add", ".")
    tiny.git("commit", "--quiet", "-m", "all")
    tiny.run("long")
    old = tiny.git("rev-parse", "HEAD")
    tiny.write({files["one"]: passes.format("passes")})
    tiny.git("commit", "--quiet", "-a", "-m", "repair")
    assert tiny.run("long", only=("one",)).status == 0

    def runs() -> list[tuple[str, list[str]]]:
        return [
            (run["tested"]["commit"], [test["test"].partition("::")[2] for test in run["tests"]])
            for run in json.loads(path.read_text())["runs"]
        ]

    path = tiny.root / "tests/long-result.json"
    new = tiny.git("rev-parse", "HEAD")
    left = ["test_fails", "test_does_not_apply", "test_two"]
    assert runs() == [(new, ["test_passes"]), (old, left)]
    assert not json.loads(path.read_text())["passed"], "a test that failed then has not run since"
    assert tiny.run("long", only=("two/test_two.py::test_two",)).status == 0
    assert [tests for _, tests in runs()] == [["test_two"], ["test_passes"], left[:2]]
    tiny.run("long")
    assert runs() == [(new, ["test_passes", "test_two"])]
    assert json.loads(path.read_text())["passed"]


@pytest.mark.parametrize("wanted", ["three", "../unit", "one/test_two.py", "/"])
def test_a_part_that_does_not_exist_is_refused(tiny: Tiny, wanted: str) -> None:
    tiny.write({"tests/long/one/test_one.py": WHOLE, "tests/unit/test_quick.py": QUICK})
    with pytest.raises(UsageError, match="there are no long tests") as refusal:
        tiny.run("long", only=(wanted,))
    assert refusal.value.hint == "one of: one"
    with pytest.raises(UsageError, match="--part is for the long tests"):
        tiny.run("fast", only=("one",))


def test_an_interrupted_run_of_the_long_tests_leaves_no_record(tiny: Tiny) -> None:
    tiny.write({"tests/long/test_long.py": ENDLESS})
    program = (
        "import sys\nfrom pathlib import Path\n"
        "from builder.commands import selftest\nfrom builder.console import Console\n"
        "from builder.host.paths import Project\n"
        "selftest.run(Project(Path(sys.argv[1])), Console(), scope='long', strict=True)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, tiny.root],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tiny.root,
    ) as running:
        while not (tiny.root / "begun").exists():
            assert running.poll() is None
            time.sleep(0.05)
        running.send_signal(signal.SIGINT)
        running.communicate()
    assert running.returncode != 0
    assert not (tiny.root / "tests/long-result.json").exists()


def test_long_tests_that_take_pytest_along_leave_no_record(tiny: Tiny) -> None:
    text = ENDLESS.replace("import time", "import os").replace("time.sleep(99)", "os._exit(0)")
    tiny.write({"tests/long/test_long.py": text})
    ran = tiny.run("long")
    assert (tiny.root / "begun").exists()
    assert not (tiny.root / "tests/long-result.json").exists()
    assert ran.status == 1
    assert ran.said.splitlines()[-1] == "failed: long wrote no outcomes"


def test_the_real_budget_is_read_and_a_mistake_is_told_with_its_line(tmp_path: Path) -> None:
    limits = budget.load(ROOT / "tests/budget.toml").minutes
    assert limits["ci"] <= 60
    assert limits["whole/fresh"] <= 6
    assert set(limits) >= {"fast", "linters", "unit", "small", "whole"}
    path = tmp_path / "budget.toml"
    path.write_text("[minutes]\nunit = 1\nsmall = -1\n")
    with pytest.raises(UsageError, match=r"budget.toml:3 cannot be used"):
        budget.load(path)
