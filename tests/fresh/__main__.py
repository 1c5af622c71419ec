"""By hand: ``python -m tests.fresh [--suite bookworm|trixie] [--level fast|whole]``."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from builder.console import Console
from builder.errors import BuilderError, Interrupted
from builder.report import failure
from tests.fresh import machine, readme
from tests.fresh.plan import SUITES, Report

ROOM = {"fast": 6 * machine.GIB, "whole": 40 * machine.GIB}


def parse(words: list[str]) -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.fresh", description=__doc__)
    parser.add_argument("--suite", choices=SUITES, default=SUITES[0])
    parser.add_argument(
        "--level", choices=tuple(ROOM), default="fast", help="which of README.md's commands"
    )
    parser.add_argument("--run", metavar="COMMAND", action="append", help="run this instead")
    parser.add_argument("--output", type=Path, help="the programs' output (default: a new file)")
    return parser.parse_args(words)


def main(words: list[str]) -> int:
    """Run the machine; returns the exit code of README.md."""
    given = parse(words)
    console = Console()
    text = readme.README.read_text()
    commands = given.run or readme.of_level(given.level, text)
    output = given.output or Path(tempfile.mkstemp(prefix="fresh-", suffix=".log")[1])
    console.say(f"a fresh Debian {given.suite}; programs write to {output}")

    def told(report: Report) -> None:
        ending = "" if report.status == 0 else f" with status {report.status}"
        console.say(f"{report.step}: ended after {report.seconds / 60:.1f} min{ending}")
        for line in report.left:
            console.say(f"  still running: {line}")

    try:
        order = machine.Order(given.suite, tuple(commands), ROOM[given.level])
        machine.run(order, output, told)
    except KeyboardInterrupt:
        error: BuilderError = Interrupted("interrupted", "by a signal", "run it again")
    except BuilderError as caught:
        error = caught
    else:
        return 0
    console.say(failure.render(error, can_enter=False))
    return error.exit_code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
