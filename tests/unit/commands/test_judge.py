"""``invoke judge``: what it is given, what it leaves, and how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from builder.commands import judge as command
from builder.commands.judge import Options
from builder.commands.judge_options import HELP
from builder.console import Console
from builder.errors import SmokeError, UsageError
from builder.host.paths import Cache, Project, find_project
from builder.lab import verdict as verdicts
from builder.lab.trace import sample
from builder.lab.trace.sample import SampleShape
from builder.place import Place
from tests.support.lab import wire as hand
from tests.support.report.reading import faults
from tests.unit.lab import test_oracle as oracle


@pytest.fixture
def place(tmp_path: Path) -> Place:
    root = find_project().root
    return Place(Project(root), Cache(tmp_path / "cache"), Console())


@pytest.fixture
def options(tmp_path: Path) -> Options:
    paths = tmp_path / "out.pcap", tmp_path / "in.pcap"
    sample.write(*paths, SampleShape(3, packets=10, content=100))
    return Options(
        outside=str(paths[0]),
        inside=str(paths[1]),
        vip="192.0.2.10:80",
        local="10.0.0.1",
        server="10.1.0.5:8080",
        output=str(tmp_path / "told"),
    )


def test_what_is_proven_leaves_page_and_verdict(
    options: Options, place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    command.judge(options, place)
    words = "19 hold, 3 had nothing to judge, 5 need more than captures"
    assert f"captures: pass, {words}, after " in capsys.readouterr().out
    folder = Path(options.output or "")
    assert verdicts.load(folder / "verdict.json").outcome == "pass"
    page = (folder / "report.html").read_text()
    assert "Proven" in page and "198.18.0.1:1024 to 192.0.2.10:80" in page
    assert page.count('class="arrow"') == 20, "ten packets, on both sides"
    assert 'name="viewport"' in page and "out.pcap #1" in page


def test_a_fault_is_told_with_its_frames_and_status_8(
    tmp_path: Path, options: Options, place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    _, wire = hand.healthy()
    oracle.altered_answer(wire)
    hand.write(tmp_path / "out.pcap", wire.frames["outer"])
    hand.write(tmp_path / "in.pcap", wire.frames["inner"])
    servers = "10.0.4.2:8080,10.0.5.2:8080"
    spoilt = replace(options, vip="10.0.1.1:80", local="10.0.3.1", server=servers)
    with pytest.raises(SmokeError) as caught:
        command.judge(spoilt, place)
    assert (caught.value.exit_code, caught.value.cause) == (8, "failed: payload")
    said = capsys.readouterr().out
    assert "the bytes that were sent: out.pcap #6, in.pcap #6" in said
    page = (tmp_path / "told" / "report.html").read_text()
    assert "Not proven" in page and "in.pcap #6" in page
    assert '<a href="#connection-1">drawn<span class="unseen">: payload of' in page
    assert page.count('<g class="wrong">') == 2, "the packet on both sides"
    assert faults(page) == []


def test_programs_are_told_in_json(
    options: Options, place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    command.judge(replace(options, json=True), place)
    told = json.loads(capsys.readouterr().out)
    assert told["outcome"] == "pass" and told["runs"][0]["counters"]["connections"] == 3
    with pytest.raises(SmokeError) as caught:
        command.judge(replace(options, inside=None, json=True), place)
    assert caught.value.answered
    assert json.loads(capsys.readouterr().out)["outcome"] == "undecided"


def test_a_side_that_was_not_captured_is_told_as_that(
    options: Options, place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SmokeError):
        command.judge(replace(options, inside=None), place)
    told = capsys.readouterr().out
    words = "2 hold, 1 undecided, 19 lack a capture, 5 need more than captures"
    assert f"captures: undecided, {words}, after " in told
    assert "\n        no capture of the inside was given\n" in told, "there are no packets to name"


def test_a_file_says_the_same_as_options(tmp_path: Path, options: Options, place: Place) -> None:
    (tmp_path / "director.toml").write_text(
        'outside = ["out.pcap"]\ninside = ["in.pcap"]\nvip = ["192.0.2.10:80"]\n'
        'local = ["10.0.0.1"]\nserver = ["10.1.0.5:8080"]\nlocal_ports = [5000, 5999]\n'
    )
    bare = Options(config=str(tmp_path / "director.toml"), output=options.output)
    command.judge(bare, place)
    with pytest.raises(SmokeError, match="inner-source"):
        command.judge(replace(bare, local_ports="6000-7000"), place)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"vip": None}, "--vip is missing"),
        ({"local": None}, "--local is missing"),
        ({"outside": None, "inside": None}, "nothing to judge"),
        ({"local_ports": "5000"}, "not a range of ports"),
        ({"local_ports": "7000-6000"}, "are none"),
        ({"profile": "none"}, "none"),
        ({"config": "none.toml"}, "cannot read"),
    ],
)
def test_what_cannot_be_understood_is_status_2(
    options: Options, place: Place, change: dict[str, str | None], words: str
) -> None:
    with pytest.raises(UsageError) as caught:
        command.judge(replace(options, **change), place)
    assert words in str(caught.value) and caught.value.hint


def test_one_file_cannot_be_both_sides(options: Options, place: Place) -> None:
    with pytest.raises(UsageError, match="given twice"):
        command.judge(replace(options, inside=options.outside), place)


def test_every_option_is_documented() -> None:
    text = (find_project().root / "docs" / "how-to" / "judge.md").read_text()
    assert not [name for name in HELP if f"`--{name}" not in text]
