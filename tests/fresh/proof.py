"""Runs README.md's commands on a fresh machine and takes the minutes of each step."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from builder.errors import BuilderError
from tests.fresh import machine, readme
from tests.fresh.__main__ import ROOM
from tests.fresh.plan import Report, Suite

Figure = Callable[[str, object], None]


def require_working(suite: Suite, level: str, figure: Figure) -> None:
    """Run a level's commands; the minutes of every step become figures of the test.

    Nothing may go on running after a command has ended.  The programs' output is kept if the
    machine fails, outside of pytest's folders, of which only the last three runs' are kept.
    """
    commands = readme.of_level(level, readme.README.read_text())

    def told(report: Report) -> None:
        figure(f"minutes: {report.step}", round(report.seconds / 60, 1))

    output = Path(tempfile.mkstemp(prefix=f"fresh-{suite}-{level}-", suffix=".log")[1])
    try:
        reports = machine.run(machine.Order(suite, commands, ROOM[level]), output, told)
    except BuilderError as error:
        error.add_note(f"what the programs wrote is in {output}")
        raise
    assert [report.left for report in reports] == [()] * (len(commands) + 2)
    output.unlink()
