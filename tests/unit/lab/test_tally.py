"""What was not judged is counted by the reason, wherever a verdict is shown, and never as held."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
import pytest

from builder.lab import judging
from builder.lab.oracle import judge
from builder.lab.page import lines, proof
from builder.lab.tally import of_rows
from builder.lab.verdict import Outcome, RowVerdict, Why
from builder.pipeline.stage import OutputFile
from builder.report import html, proofs
from builder.report.record import BuildRecord
from tests.support.lab import recordings
from tests.support.lab import wire as hand

LACKING = dict.fromkeys(("timestamp", "mss", "counters"), "the series has none")


def row(outcome: Outcome, why: Why = "") -> RowVerdict:
    return RowVerdict(f"{outcome} {why}", "", outcome, "", why=why)


PASS, FAIL, UNDECIDED = row("pass"), row("fail"), row("undecided")
INAPT, IDLE = row("unsupported", "not applicable"), row("unsupported", "nothing to judge")
ELSEWHERE, ALONE = row("unsupported", "not in captures"), row("undecided", "no capture")


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ((PASS, PASS), "2 assertions hold"),
        ((PASS,), "1 assertion holds"),
        ((PASS, INAPT, PASS), "2 hold, 1 does not apply"),
        ((PASS, row("unsupported")), "1 hold, 1 does not apply"),
        ((PASS, UNDECIDED, INAPT, INAPT), "1 hold, 1 undecided, 2 do not apply"),
        ((PASS, FAIL, INAPT), "1 hold, 1 failed, 1 does not apply"),
        ((PASS, IDLE, ELSEWHERE), "1 hold, 1 had nothing to judge, 1 needs more than captures"),
        ((IDLE, IDLE, ELSEWHERE, ALONE), "0 hold, 1 lacks a capture, 2 had nothing to judge, 1"),
        ((INAPT,), "0 hold, 1 does not apply"),
    ],
)
def test_each_outcome_is_counted_as_what_it_is(rows: tuple[RowVerdict, ...], words: str) -> None:
    counted = of_rows(rows)
    assert counted.words.startswith(words)
    assert counted.total == len(rows)


@pytest.fixture(scope="module")
def lacking(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording of a series that cannot do three of 22 assertions."""
    folder = tmp_path_factory.mktemp("recordings") / "fullnat"
    return recordings.make(folder, unsupported=LACKING)


def test_the_console_tells_what_was_not_judged(lacking: Path) -> None:
    verdict = judging.judge(lacking).verdict
    assert verdict.outcome == "pass", verdict.complaint
    told = "\n".join(lines.lines(verdict))
    words = "19 hold, 3 do not apply"
    assert f"ok  proof: {words} (counters, mss, timestamp)" in told


def test_the_page_tells_it_too(lacking: Path) -> None:
    proof.write(judging.judge(lacking), lacking)
    page = (lacking / "report.html").read_text()
    assert "Proven: 19 hold, 3 do not apply; 1 negative control failed as expected" in page
    assert "22 assertions" not in page


def test_the_build_s_record_and_page_tell_it_too(lacking: Path, tmp_path: Path) -> None:
    folder = tmp_path / "lab" / "fullnat"
    shutil.copytree(lacking, folder)
    proof.write(judging.judge(folder), folder)
    image = OutputFile("vm/director.qcow2", 1, recordings.TRIED.image)
    bare = BuildRecord(
        "lts", "vm", "debian12", (), (image, OutputFile("lab/fullnat/x", 1, recordings.TRIED.image))
    )
    made = proofs.told(tmp_path, bare)
    (entry,) = made.lab
    assert (entry.outcome, entry.held) == ("pass", 19)
    assert entry.unjudged == ("counters", "mss", "timestamp")
    assert "proven: 19 hold, 3 do not apply</td>" in html.render(made, None)


def test_a_control_tells_what_of_it_could_not_be_judged(tmp_path: Path) -> None:
    folder = recordings.make(tmp_path / "control", unsupported={"answered": "nobody asks"})
    told = "\n".join(lines.lines(judging.judge(folder).verdict))
    words = "negative control, fails toa-first; 1 does not apply (answered)"
    assert f"ok  toa-off: {words}" in told


def test_a_proof_of_which_nothing_could_be_judged_proves_nothing(tmp_path: Path) -> None:
    run, wire = hand.healthy()
    run = msgspec.structs.replace(run, rows=tuple(LACKING))
    series = msgspec.structs.replace(hand.SERIES, unsupported=LACKING)
    found = judge.judge(wire.evidence(run, tmp_path, series), "")
    assert not found.as_expected
    assert found.complaint == "no assertion could be judged"
