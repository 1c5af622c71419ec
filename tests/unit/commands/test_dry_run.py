"""--dry-run says which stages would run, why, and about how long: and nothing has run."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

import tasks
from builder import commandline
from builder.commands.foresight import foresee
from builder.commands.produce import exactly
from builder.console import Console
from builder.digest import Digest
from builder.host import ownership
from builder.host.paths import Cache, Project
from builder.pipeline.facts import NONE, FetchFacts
from builder.pipeline.ledger import Entry, Ledger
from builder.pipeline.schedule import all_inputs
from builder.pipeline.store import OUTPUT
from builder.place import Place
from builder.spans import about, span
from builder.stages.request import Request
from builder.stages.session import ledger_path, open_session
from tests.support.pipeline import known
from tests.world import ROOT

SUM = re.compile(r"(\d+) of (\d+) stages would run: (about .*|a few seconds) \((.*)\)$")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cache:
    monkeypatch.setenv("LVS_BUILDER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return Cache(tmp_path / "cache")


@pytest.mark.parametrize(
    ("words", "ends"),
    [
        ("build", "smoke: would run (about 40 s, estimated), it never ran in this cache"),
        ("repo -n", "repo: would run (about 20 s, estimated), it never ran in this cache"),
        ("build -n --only frr", "build:frr: would run (about 40 s, estimated), it never ran"),
        ("fetch", "fetch:ipvsadm: would run (about 10 s, estimated), it never ran"),
        ("fetch --update", "fetch:ipvsadm: would run (about 10 s, estimated), as requested"),
        ("image --refresh", "image:guest: would run (about 2 min, estimated), as requested"),
        ("tree --only frr", "prep:frr: would run (a few seconds, estimated), it never ran"),
    ],
)
def test_what_would_run_is_told_and_nothing_is_made(
    capsys: pytest.CaptureFixture[str], cache: Cache, words: str, ends: str
) -> None:
    given = [*words.split(), "--profile", "lts", "--dry-run"]
    with known.knowing(cache, Console()):
        assert commandline.run(tasks, given) == 0
    told = capsys.readouterr()
    assert told.err == ""
    *stages, last = told.out.splitlines()
    assert any(line.startswith(ends) for line in stages), told.out
    assert SUM.match(last)
    made = {path.name for path in cache.root.iterdir()}
    assert made == {ownership.TAG, ownership.MARK, "locks", "ledger"}
    assert {path.suffix for path in cache.ledger.iterdir()} == {".json"}, "what was read is kept"


def test_without_a_cache_none_is_made(capsys: pytest.CaptureFixture[str], cache: Cache) -> None:
    words = "fetch --profile lts --dry-run"
    assert commandline.run(tasks, words.split()) == 0
    assert "fetch:ipvsadm: would run" in capsys.readouterr().out
    assert not cache.root.exists()


def test_a_lab_without_an_image_is_refused_as_the_lab_itself_is(
    capsys: pytest.CaptureFixture[str], cache: Cache
) -> None:
    words = "lab --profile lts -n"
    with known.knowing(cache, Console()):
        assert commandline.run(tasks, words.split()) == 2
    assert "failed: " in capsys.readouterr().err


def test_scenarios_run_one_after_the_other_and_take_as_long_as_their_runs(
    capsys: pytest.CaptureFixture[str], cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("builder.commands.lab.require_image", lambda opened: None)
    place = Place(Project(ROOT), cache, Console())
    ledger = Ledger(ledger_path(cache, "lts", "director", "debian12"))
    with known.knowing(cache, place.console):
        with open_session(Request("lts"), place, reading=True) as session:
            others = [one for one in session.stages if not one.startswith(("record:", "lab:"))]
        for stage in others:
            ledger.record(stage, Entry(Digest("0" * 64), {}, 0.0, NONE))
        told = {}
        for words in ("", "--scenario nat", "--scenario nat,fullnat"):
            assert commandline.run(tasks, f"lab -n -p lts -f director {words}".split()) == 0
            told[words] = capsys.readouterr().out
    assert "record:nat: would run (about 20 s, estimated)" in told[""]
    assert "record:toa-forged: would run (about 60 s, estimated)" in told[""]
    found = {words: SUM.match(out.splitlines()[-1]) for words, out in told.items()}
    seconds = {words: one[3] for words, one in found.items() if one}
    assert seconds["--scenario nat"] == "about 20 s"
    assert seconds["--scenario nat,fullnat"] == "about 60 s"
    assert seconds[""] in {f"about {minutes} min" for minutes in range(11, 16)}, "ci.md: 13 minutes"


def test_times_are_those_of_the_ledger_and_settled_stages_are_left_out(
    tmp_path: Path, cache: Cache
) -> None:
    request, place = Request("lts", "vm"), Place(Project(ROOT), cache, Console())
    ledger = Ledger(ledger_path(cache, "lts", "vm", "debian12"))
    with known.knowing(cache, place.console), open_session(request, place, reading=True) as session:
        stage = session.stages["fetch:frr"]
        (tmp_path / "work" / OUTPUT).mkdir(parents=True)
        facts = FetchFacts("file:frr", Digest("0" * 64), "1", "one", "by nobody")
        session.store.commit(
            stage.name, all_inputs(stage, {}), tmp_path / "work",
            listed=True, by_content=stage.by_content, started=time.time(), facts=facts,
            log=tmp_path / "log",
        )  # fmt: skip
    ledger.record("fetch:ipvsadm", Entry(Digest("0" * 64), {"gone": "1" * 64}, 7260.0, NONE))
    lines = foresee(request, exactly("fetch:frr", "fetch:ipvsadm"), place)
    assert lines[0] == "fetch:ipvsadm: would run (about 2 h 01 min)"
    assert "    gone: 111111111111 -> (none)" in lines
    assert lines[-1] == (
        "1 of 2 stages would run: about 2 h 01 min (as long as the last times in this cache)"
    )
    assert foresee(request, exactly("fetch:frr"), place) == [
        "nothing has changed: none of 1 stages would run"
    ]


def test_a_first_kernel_takes_as_long_as_its_objects(
    capsys: pytest.CaptureFixture[str], cache: Cache
) -> None:
    told = {}
    for flavour in ("vm", "director"):
        words = f"build -n -p lts -f {flavour} --only kernel"
        with known.knowing(cache, Console()):
            assert commandline.run(tasks, words.split()) == 0
        out = capsys.readouterr().out
        found = re.search(r"build:kernel: would run \(about (\d+) min, estimated\)", out)
        assert found, out
        told[flavour] = int(found[1])
    assert 0 < told["vm"] < told["director"]


@pytest.mark.parametrize(
    ("seconds", "exact", "guess"),
    [
        (0.04, "0.0 s", "a few seconds"),
        (9.94, "9.9 s", "a few seconds"),
        (38.2, "38 s", "about 40 s"),
        (99.4, "99 s", "about 2 min"),
        (263.8, "4 min 24 s", "about 4 min"),
        (3600, "1 h 00 min", "about 1 h 00 min"),
        (7325, "2 h 02 min", "about 2 h 02 min"),
    ],
)
def test_spans_are_as_fine_as_they_are_known(seconds: float, exact: str, guess: str) -> None:
    assert (span(seconds), about(seconds)) == (exact, guess)
