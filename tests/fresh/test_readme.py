"""The README's commands work on a machine that has nothing yet."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fresh import machine, readme
from tests.fresh.__main__ import ROOM
from tests.fresh.plan import Report, Suite

Figure = Callable[[str, object], None]
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="mounts and namespaces need root")


def prove(suite: Suite, level: str, output: Path, figure: Figure) -> None:
    """Run a level's commands; the minutes of every step become figures of the test.

    Nothing may go on running after a command has ended.
    """
    commands = readme.of_level(level, readme.README.read_text())

    def told(report: Report) -> None:
        figure(f"minutes: {report.step}", round(report.seconds / 60, 1))

    reports = machine.run(machine.Order(suite, commands, ROOM[level]), output, told)
    assert [report.left for report in reports] == [()] * (len(commands) + 2)


@pytest.mark.whole
@pytest.mark.timeout(1200)
def test_set_up_and_fast_tests(tmp_path: Path, record_property: Figure) -> None:
    prove("bookworm", "fast", tmp_path / "output", record_property)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_set_up_and_fast_tests_on_debian_13(tmp_path: Path, record_property: Figure) -> None:
    prove("trixie", "fast", tmp_path / "output", record_property)


@pytest.mark.long
@pytest.mark.timeout(6 * 3600)
def test_the_whole_build_and_all_tests(tmp_path: Path, record_property: Figure) -> None:
    prove("bookworm", "whole", tmp_path / "output", record_property)
