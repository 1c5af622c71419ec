"""bench says how quickly commands start, beside Invoke alone."""

from __future__ import annotations

import re
from pathlib import Path

from builder.commands import startup
from builder.commands.startup import StartedCommand
from builder.console import Console
from builder.host.paths import Cache, Project
from builder.place import Place
from tests.world import ROOT

RATIO = re.compile(r"(\d+\.\d\d) \((\d+\.\d\d) s\)")


def test_the_table_has_a_ratio_for_each_command(tmp_path: Path) -> None:
    place = Place(Project(ROOT), Cache(tmp_path / "cache"), Console())
    wanted = (StartedCommand(("--list",), 1.3), StartedCommand(("show", "bases"), 1.3, first=True))
    figures = startup.measure(place, wanted, rounds=1)
    assert [one.what for one in figures[1:]] == ["`--list`", "first line of `show bases`"]
    assert all(RATIO.fullmatch(one.value) for one in figures[1:])
    lines = startup.table(figures).splitlines()
    assert lines[0] == "| measured | value | bound |"
    assert len(lines) == 5
