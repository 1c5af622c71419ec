"""What could not be judged is counted as that, wherever a verdict is shown, and never as held."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
import pytest

from builder.lab import judging
from builder.lab.oracle import judge
from builder.lab.page import lines, proof
from builder.lab.tally import of_rows
from builder.lab.verdict import Outcome, RowVerdict
from builder.pipeline.stage import OutputFile
from builder.report import html, proofs
from builder.report.record import BuildRecord
from tests.support.lab import recordings
from tests.support.lab import wire as hand

LACKING = dict.fromkeys(("timestamp", "mss", "counters"), "the series has none")


def rows(*outcomes: Outcome) -> tuple[RowVerdict, ...]:
    return tuple(RowVerdict(f"row{at}", "", one, "") for at, one in enumerate(outcomes))


@pytest.mark.parametrize(
    ("outcomes", "words"),
    [
        (("pass", "pass"), "2 assertions hold"),
        (("pass",), "1 assertion holds"),
        (("pass", "unsupported", "pass"), "2 hold, 1 could not be judged"),
        (("pass", "undecided", "unsupported"), "1 hold, 2 could not be judged"),
        (("pass", "fail", "unsupported"), "1 hold, 1 failed, 1 could not be judged"),
        (("unsupported",), "0 hold, 1 could not be judged"),
    ],
)
def test_each_outcome_is_counted_as_what_it_is(outcomes: tuple[Outcome, ...], words: str) -> None:
    assert of_rows(rows(*outcomes)).words == words


@pytest.fixture(scope="module")
def lacking(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording of a series that cannot do three of 22 assertions."""
    folder = tmp_path_factory.mktemp("recordings") / "fullnat"
    return recordings.make(folder, unsupported=LACKING)


def test_the_console_tells_what_could_not_be_judged(lacking: Path) -> None:
    verdict = judging.judge(lacking).verdict
    assert verdict.outcome == "pass", verdict.complaint
    told = "\n".join(lines.lines(verdict))
    words = "19 hold, 3 could not be judged"
    assert f"ok  proof: {words} (counters, mss, timestamp)" in told


def test_the_page_tells_it_too(lacking: Path) -> None:
    proof.write(judging.judge(lacking), lacking)
    page = (lacking / "report.html").read_text()
    assert "Proven: 19 hold, 3 could not be judged; 1 negative control failed as expected" in page
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
    assert "proven: 19 hold, 3 could not be judged</td>" in html.render(made, None)


def test_a_control_tells_what_of_it_could_not_be_judged(tmp_path: Path) -> None:
    folder = recordings.make(tmp_path / "control", unsupported={"answered": "nobody asks"})
    told = "\n".join(lines.lines(judging.judge(folder).verdict))
    words = "negative control, fails toa-first; 1 could not be judged (answered)"
    assert f"ok  toa-off: {words}" in told


def test_a_proof_of_which_nothing_could_be_judged_proves_nothing(tmp_path: Path) -> None:
    run, wire = hand.healthy()
    run = msgspec.structs.replace(run, rows=tuple(LACKING))
    series = msgspec.structs.replace(hand.SERIES, unsupported=LACKING)
    found = judge.judge(wire.evidence(run, tmp_path, series), "")
    assert not found.as_expected
    assert found.complaint == "no assertion could be judged"
