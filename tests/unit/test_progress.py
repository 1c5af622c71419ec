"""Who waits sees how far it is: lines drawn anew on a terminal, plain ones anywhere else."""

from __future__ import annotations

import io
import re
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TextIO

import pytest

from builder import board, colour
from builder.board import Running, Whole
from builder.colour import Tone
from builder.commands import outcome
from builder.console import Console
from builder.digest import of_text
from builder.errors import BuildError
from builder.folding import fold
from builder.host.paths import Cache
from builder.pipeline.estimate import expect, in_turn, longest, whole
from builder.pipeline.facts import NONE, BuildFacts
from builder.pipeline.ledger import Entry, Ledger
from builder.pipeline.stage import Stage
from tests.support.terminals import Terminal, open_terminal

CI = ("GITHUB_ACTIONS", "GITLAB_CI", "NO_COLOR", "TERM")


@pytest.fixture(autouse=True)
def _plain_surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in CI:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(board, "REDRAWN", 0.02)
    monkeypatch.setattr(board, "SILENCE", 0.02)


@pytest.fixture
def wide() -> Iterator[Terminal]:
    with open_terminal(100) as made:
        yield made


def one_of_three(left: Mapping[str, float]) -> Whole:
    return Whole(1, 3, left.get("build:kernel", 0.0) + 40)


def console_on(stream: TextIO, **more: bool) -> Console:
    return Console(stream, interactive=colour.is_terminal(stream), **more)


def test_a_terminal_has_a_line_for_each_stage_and_one_for_the_whole(wide: Terminal) -> None:
    console = console_on(wide.stream)
    with console.board(one_of_three), console.stage("build:kernel", 0.0):
        with console.progress("build kernel", 2969, "objects") as progress:
            progress.advance(1336)
            wide.wait_for(r"\[1/3\] build:kernel +45% =+ +1336 of 2969 objects, ")
            wide.wait_for(r"\[1/3\] \d[^\n]*left")
            console.say("in between")
        ended = threading.Event()

        def beside() -> None:
            with console.stage("image:guest", 0.0):
                ended.wait(20)

        other = threading.Thread(target=beside)
        other.start()
        wide.wait_for(r"\[1/3\] image:guest \d\.\d s")
        ended.set()
        other.join()
    last = re.split(r"[\r\n]", wide.screen())[-1]
    assert last.replace("\x1b[A", "").strip() == "", "the lines are taken away"
    assert re.search(r"(\r|\x1b\[A)in between\r\n", wide.screen()), "a line of its own"
    assert "0/100" not in wide.screen()


@pytest.mark.parametrize(("columns", "term"), [(0, "xterm"), (100, "dumb")])
def test_a_terminal_that_cannot_be_drawn_on_gets_plain_lines(
    monkeypatch: pytest.MonkeyPatch, columns: int, term: str
) -> None:
    monkeypatch.setenv("TERM", term)
    with open_terminal(columns) as made:
        console = console_on(made.stream)
        with console.board(one_of_three), console.stage("smoke", 100.0):
            said = made.wait_for(r"smoke: [^\n]*\n")
    assert not console.interactive
    assert "\x1b" not in said


def test_what_is_no_terminal_gets_lines_with_the_time_while_nothing_is_said() -> None:
    heard = io.StringIO()
    console = console_on(heard)
    with (
        console.board(one_of_three),
        console.stage("build:kernel", 0.0),
        console.progress("build kernel", 100, "objects") as progress,
    ):
        progress.advance(45)
        deadline = time.monotonic() + 20
        while heard.getvalue().count("\n") < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
    line = r"\d\d:\d\d:\d\d \[1/3\] \d\.\d s, [^;]+ left; build:kernel: 45 of 100 objects, \d.*\n"
    assert re.match(line, heard.getvalue()), heard.getvalue()


def test_a_log_gets_a_line_at_least_each_minute() -> None:
    assert board.__dict__["SILENCE"] == 0.02  # the fixture's
    text = Path(board.__file__).read_text()
    found = re.search(r"^SILENCE = ([0-9.]+)$", text, re.MULTILINE)
    assert found
    assert float(found[1]) <= 55


def test_quiet_leaves_warnings_and_verbose_adds_details(wide: Terminal) -> None:
    for quiet, verbose, wanted in ((True, False, "w"), (False, False, "sw"), (False, True, "sdw")):
        heard = io.StringIO()
        console = console_on(heard, quiet=quiet, verbose=verbose)
        console.say("s")
        console.detail("d")
        console.warn("w")
        assert [line[-1] for line in heard.getvalue().splitlines()] == list(wanted)
    quiet_console = console_on(wide.stream, quiet=True)
    with quiet_console.board(one_of_three), quiet_console.stage("smoke", 9.0):
        time.sleep(0.1)
    assert wide.screen() == ""


@pytest.mark.parametrize("refused", [False, True])
def test_colours_are_for_terminals_whose_user_has_not_refused_them(
    wide: Terminal, monkeypatch: pytest.MonkeyPatch, refused: bool
) -> None:
    if refused:
        monkeypatch.setenv("NO_COLOR", "1")
    console_on(wide.stream).say("fetch:x: done", Tone.GOOD)
    wide.wait_for("done")
    failed = colour.failure("failed: x\ncause: a failed: b\nnext:  y", wide.stream)
    assert ("\x1b[32m" in wide.screen()) is not refused
    assert (failed.count("\x1b[1;31m"), failed.count("\x1b[1m")) == ((0, 0) if refused else (1, 2))
    assert colour.failure("failed: x", io.StringIO()) == "failed: x"


@pytest.mark.parametrize(
    ("variable", "begin", "end"),
    [
        ("GITHUB_ACTIONS", r"::group::stages", r"::endgroup::"),
        (
            "GITLAB_CI",
            r"\x1b\[0Ksection_start:\d{10,}:stages\[collapsed=true\]\r\x1b\[0Kstages",
            r"\x1b\[0Ksection_end:\d{10,}:stages\r\x1b\[0K",
        ),
    ],
)
def test_a_ci_folds_what_a_run_says(
    monkeypatch: pytest.MonkeyPatch, variable: str, begin: str, end: str
) -> None:
    monkeypatch.setenv(variable, "true")
    heard = io.StringIO()
    console = console_on(heard)
    with console.board(one_of_three):
        for name in ("one", "two"):
            with console.stage(name, 1.0):
                console.say(f"{name}: started")
    console.say("done")
    first, *_, last, after = heard.getvalue().split("\n")[:-1]
    assert re.fullmatch(begin, first)
    assert re.fullmatch(end, last)
    assert after.endswith("done")
    assert heard.getvalue().count(first) == 1


def test_nothing_is_folded_elsewhere_nor_where_nothing_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert fold("x") is None
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    heard = io.StringIO()
    with console_on(heard).board(one_of_three):
        pass
    assert heard.getvalue() == ""


def test_a_failed_stage_s_log_is_folded_and_commands_the_runner_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "build-tool.log"
    log.write_text("".join(f"line {number}\n" for number in range(500)) + "::warning::from a log\n")
    error = BuildError("it broke", "a cause", "a hint", log=log, stage="build:tool")
    text, _ = outcome.of(error, Cache(tmp_path))
    assert text.startswith("failed: ")
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    lines = outcome.of(error, Cache(tmp_path))[0].splitlines()
    assert lines[0] == "::group::log of build:tool"
    assert lines[outcome.LOG_LINES : outcome.LOG_LINES + 3] == [
        "| ::warning::from a log", "::endgroup::", "failed: it broke (stage build:tool)",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("expected", "done", "total", "left", "share"),
    [
        (0.0, 0, None, 0.0, None),
        (100.0, 0, None, 90.0, 0.1),
        (5.0, 0, None, 0.0, 0.99),
        (100.0, 1, 100, 90.0, 0.01),
        (0.0, 50, 100, 10.0, 0.5),
        (100.0, 120, 100, 0.0, 0.99),
    ],
)
def test_what_is_left_of_a_stage_goes_by_its_speed_or_by_the_last_time(
    expected: float, done: int, total: int | None, left: float, share: float | None
) -> None:
    line = Running("x", expected, begun=1000.0)
    line.done, line.total, line.unit, line.since = done, total, "objects", 1000.0
    assert line.left(1010.0) == pytest.approx(left)
    assert line.share(1010.0) == (None if share is None else pytest.approx(share))


def stage(name: str, *needs: str, objects: int = 0) -> Stage:
    return Stage(name, needs, lambda: (), lambda work: None, objects=objects)


def test_the_whole_takes_as_long_as_its_longest_way(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.json")
    for name, seconds in (("a", 10.0), ("b", 50.0), ("c", 5.0)):
        ledger.record(name, Entry(of_text("x"), {}, seconds, NONE))
    stages = (stage("a"), stage("b"), stage("c", "a", "b"))
    assert whole(stages, (), ledger, {}) == Whole(0, 3, 55.0)
    assert whole(stages, ("a",), ledger, {"b": 20.0}) == Whole(1, 3, 25.0)
    assert whole((*stages, stage("d")), ("a", "b", "c"), ledger, {}) == Whole(3, 4, 0.0, False)
    assert longest((), {}) == 0.0


def test_goals_that_wait_for_one_another_take_as_long_as_all_of_them() -> None:
    stages = {one.name: one for one in (stage("vm"), stage("a", "vm"), stage("b", "vm"))}
    seconds = {"vm": 100.0, "a": 10.0, "b": 20.0}
    assert longest(stages.values(), seconds) == 120.0
    assert in_turn(stages, ("a", "b"), seconds) == 130.0
    assert in_turn(stages, ("b",), seconds) == 120.0


def test_what_is_expected_comes_from_the_profile_and_later_from_the_last_build(
    tmp_path: Path,
) -> None:
    ledger, kernel = Ledger(tmp_path / "ledger.json"), stage("build:kernel", objects=2969)
    first = expect(kernel, ledger)
    assert (first.objects, first.known) == (2969, False)
    assert first.seconds > 0
    ledger.record("build:kernel", Entry(of_text("x"), {}, 934.0, BuildFacts(3001, 930.0)))
    later = expect(kernel, ledger)
    assert (later.objects, later.known, later.seconds) == (3001, True, 934.0)
