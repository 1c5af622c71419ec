"""`invoke lab`, from its refusals to its hosts: with stand-ins for QEMU, which are the hosts."""

from __future__ import annotations

import io
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from builder.commands import lab
from builder.commands.lab import LabRequest
from builder.console import Console
from builder.digest import decode
from builder.errors import BuildError, SmokeError, UsageError
from builder.host.removal import remove
from builder.lab import experiment, judging
from builder.lab.load import measure
from builder.lab.verdict import load as read_verdict
from builder.place import Place
from builder.report import publish, record
from tests.support.commands import desk
from tests.support.lab import finished
from tests.support.vm import standin
from tests.support.vm.standin import StandIn

DR = LabRequest("lts", ("dr",), flavour="vm")


@pytest.fixture
def qemu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    monkeypatch.setattr(experiment, "QUIET_SECONDS", 0.1)
    made = standin.install(tmp_path / "bin", monkeypatch)
    made.be_hosts()
    return made


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Flavour vm is built, and guests were found to run emulated here."""
    with finished.emulated(tmp_path_factory.mktemp("site")) as place:
        yield place


@pytest.fixture
def built(site: Place) -> Iterator[Place]:
    """The same without anything that was recorded or published before."""
    yield site
    remove(site.project.results, site.project.root)
    for kind in ("record", "lab"):
        remove(site.cache.stages / f"{kind}-dr", site.cache.stages)
    remove(site.cache.scratch, site.cache.root)


class Said(io.StringIO):
    """Messages; something is done as soon as one of them has certain words."""

    def __init__(self, words: str, act: Callable[[], object]) -> None:
        super().__init__()
        self.words, self.act = words, act

    def write(self, text: str) -> int:
        if self.words in text:
            self.act()
        return super().write(text)


def press_ctrl_c_when_heard() -> None:
    """Once somebody else hears the signal than does now."""
    before = signal.getsignal(signal.SIGINT)

    def press() -> None:
        while signal.getsignal(signal.SIGINT) == before:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=press, daemon=True).start()


def saying(place: Place, said: io.StringIO) -> Place:
    return replace(place, console=Console(said, interactive=False))


def made(place: Place) -> record.BuildRecord:
    return record.decode((place.project.artifacts("lts") / publish.RECORD).read_bytes())


def test_a_lab_whose_wires_were_silent_proves_nothing_and_is_published(
    qemu: StandIn, built: Place
) -> None:
    said = io.StringIO()
    with pytest.raises(SmokeError, match="not proven: dr") as caught:
        lab.run(DR, saying(built, said))
    folder = built.project.artifacts("lts") / "lab" / "dr"
    assert caught.value.hint == f"read {folder}/report.html"
    assert judging.judge(folder).verdict.outcome == "fail"
    assert (made(built).outcome, made(built).lab[0].outcome) == ("failed", "fail")
    assert "KVM unusable here, emulating (slower), so time limits are" in said.getvalue()
    assert "snapshot=on" in " ".join(qemu.words())


def test_a_lab_is_kept_until_ctrl_c_and_says_how_to_enter_it(qemu: StandIn, built: Place) -> None:
    said = Said("the lab is running", press_ctrl_c_when_heard)
    lab.run(replace(DR, keep=True), saying(built, said))
    told = said.getvalue()
    assert "lab-console client --profile lts" in told
    assert "tail -c +1 -f " in told
    folder = built.project.artifacts("lts") / "lab" / "dr"
    assert read_verdict(folder / "verdict.json").outcome == "fail"
    assert made(built).profile == "lts"
    assert list(built.cache.scratch.glob("lts/*")) == []


def test_a_kept_lab_ends_with_its_first_host(qemu: StandIn, built: Place) -> None:
    qemu.be_hosts("if script == 'dmesg': os.system(f'(sleep 0.6; kill -9 {os.getpid()}) &')")
    with pytest.raises(SmokeError, match="director went away: QEMU failed"):
        lab.run(replace(DR, keep=True), saying(built, io.StringIO()))


def test_a_kept_lab_that_does_not_come_up_is_published_as_failed(
    qemu: StandIn, built: Place
) -> None:
    qemu.play("sys.stderr.write('no memory\\n')\nmachine.leave(1)")
    with pytest.raises(SmokeError, match="went away: QEMU failed") as caught:
        lab.run(replace(DR, keep=True), saying(built, io.StringIO()))
    folder = built.project.artifacts("lts") / "lab" / "dr"
    assert read_verdict(folder / "verdict.json").complaint == str(caught.value)
    assert made(built).outcome == "failed"


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (replace(DR, names=("dr", "nat"), keep=True), "only one lab can be kept running"),
        (replace(DR, names=(), keep=True), "only one lab can be kept running"),
        (replace(DR, names=("drr",)), "'drr'"),
        (replace(DR, flavour="vn"), "'vn'"),
    ],
)
def test_what_cannot_be_tried_is_refused_before_anything_waits(
    built: Place, request_: LabRequest, words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        lab.run(request_, built)


def test_a_profile_that_says_nothing_of_the_wire_has_no_lab(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"has no table \[lab\]"):
        lab.run(LabRequest(desk.PROFILE), desk.make(tmp_path).place)


def test_an_image_that_was_not_built_is_told_with_its_command(built: Place) -> None:
    other = replace(DR, flavour="director")
    for request in (other, replace(other, dry=True), replace(other, load=True)):
        with pytest.raises(UsageError, match="has no disk image to try") as caught:
            lab.run(request, built)
        assert caught.value.hint.endswith("invoke build --profile lts --flavour director")


def test_a_dry_run_says_what_would_be_recorded_again(
    built: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    target = built.project.artifacts("lts")
    target.mkdir(parents=True)
    last = '{"profile": "lts", "flavour": "vm", "base": "debian12", "stages": [], "outputs": []}'
    (target / publish.RECORD).write_text(last)
    said = io.StringIO()
    lab.run(LabRequest("lts", ("dr",), dry=True, again=True), saying(built, said))
    told = capsys.readouterr().out
    assert "record:dr: would run (" in told
    assert "lab: flavour vm in base debian12, as the last build had it" in said.getvalue()
    (target / publish.RECORD).write_text("{")
    with pytest.raises(UsageError, match="has no disk image to try"):
        lab.run(LabRequest("lts", ("dr",), dry=True), built)


ANSWERS = (
    "said = '1000 50000000' if ' load ' in script else 'cpu 1 1 1 1 1 1 1 1' if '/proc/stat' in "
    "script else 'syn 41 800 720 960' if 'packet-cost' in script else said"
)


def test_what_goes_through_each_method_is_told_as_ratios_and_saved(
    qemu: StandIn, built: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    qemu.be_hosts(ANSWERS)
    compiler = qemu.folder / "gcc"
    compiler.write_text('#!/bin/sh\n: >"$7"\n')
    compiler.chmod(0o755)
    said = io.StringIO()
    lab.run(replace(DR, load=True), saying(built, said))
    told = capsys.readouterr().out.splitlines()
    assert any(line.startswith("nat ") and "100.00 (1.00)" in line for line in told), told
    assert any("100 (1.000)" in line for line in told), "800 ns are 100 instructions"
    saved = built.project.artifacts("lts") / "lab" / measure.FILE
    report = decode(saved.read_bytes(), measure.LoadReport)
    methods = {"nat", "fullnat", "dr", "haproxy", "nat-snat", "synproxy"}
    assert {one.method for one in report.loads} == methods
    assert "lab load: nat: 100 connections/s" in said.getvalue()
    assert list(built.cache.scratch.glob("lts/*")) == []
    assert "-icount" in qemu.words()


def test_a_compiler_that_fails_is_told_in_its_own_words(qemu: StandIn, built: Place) -> None:
    qemu.be_hosts(ANSWERS)
    compiler = qemu.folder / "gcc"
    compiler.write_text("#!/bin/sh\necho 'ld: cannot find -lc' >&2; exit 1\n")
    compiler.chmod(0o755)
    with pytest.raises(BuildError, match="packet-cost does not compile: ld: cannot find -lc"):
        lab.run(replace(DR, load=True), saying(built, io.StringIO()))
