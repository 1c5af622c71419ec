"""A recording says everything: it is judged anywhere, as often as wanted, and no other one."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from builder.errors import BuilderError, UsageError, VerificationError
from builder.lab import folder as folders
from builder.lab import judging
from builder.lab.page import proof
from builder.lab.verdict import load as read_verdict
from tests.support.lab import recordings
from tests.support.lab.wire import Wire
from tests.world import ROOT


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return recordings.make(tmp_path_factory.mktemp("recordings") / "fullnat")


@pytest.fixture
def recording(original: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    return Path(shutil.copytree(original, tmp_path / "copy"))


def without_toa(wire: Wire) -> None:
    """What a director sends that has forgotten the option."""
    for link in ("inner", "web1"):
        tcp = wire.tcp(link, 0)
        tcp.opts = tcp.opts[8:]
        tcp.off = 5 + len(tcp.opts) // 4


def test_it_is_judged_from_its_folder_alone(recording: Path) -> None:
    verdict = judging.judge(recording).verdict
    assert verdict.outcome == "pass", verdict.complaint
    assert [run.name for run in verdict.proofs] == ["proof"]
    assert {row.outcome for row in verdict.proofs[0].rows} == {"pass"}
    (control,) = verdict.controls
    failed = [row.name for row in control.rows if row.outcome == "fail"]
    assert failed == ["toa-first"], "each run is judged by its own part of the captures"
    assert verdict.subject == recordings.TRIED
    assert (verdict.timing.boot, verdict.seconds) == (9.5, 44.5)
    assert len(verdict.experiment) == len(verdict.recording) == 64
    assert len(verdict.views) == 4


def test_what_is_wrong_on_the_wire_makes_it_red(tmp_path: Path) -> None:
    folder = recordings.make(tmp_path / "red", spoil=without_toa)
    verdict = judging.judge(folder).verdict
    assert verdict.outcome == "fail"
    assert verdict.complaint == "proof: failed: toa-first"


def test_what_the_kernel_must_log_is_in_the_recording(tmp_path: Path) -> None:
    said = recordings.make(tmp_path / "said", log="IPVS: no local address for 10.0.1.2\n")
    assert judging.judge(said).verdict.outcome == "pass"
    silent = recordings.make(tmp_path / "silent", log="IPVS: hello\n")
    assert "the kernel's log has no line like" in judging.judge(silent).verdict.complaint


def test_judging_twice_gives_the_same_bytes(recording: Path, tmp_path: Path) -> None:
    proof.write(judging.judge(recording), recording)
    first = {name: (recording / name).read_bytes() for name in ("verdict.json", "report.html")}
    elsewhere = Path(shutil.copytree(recording, tmp_path / "another" / "place"))
    for name in first:
        (elsewhere / name).unlink()
    proof.write(judging.judge(elsewhere), elsewhere)
    assert {name: (elsewhere / name).read_bytes() for name in first} == first


def test_the_page_says_what_it_speaks_of(recording: Path) -> None:
    proof.write(judging.judge(recording), recording)
    page = (recording / "report.html").read_text()
    assert recordings.TRIED.image in page
    for name, digest in recordings.TRIED.kernel_rpms.items():
        assert name in page and digest in page
    verdict = read_verdict(recording / "verdict.json")
    assert verdict.experiment in page and verdict.recording in page
    assert "ipvsadm -P -t 10.0.1.1:80" in page, "what was typed is in the recording"
    assert "web1 login:" in page


def test_the_seal_is_one_that_sha256sum_reads(recording: Path) -> None:
    ended = subprocess.run(
        ("sha256sum", "--check", "--strict", folders.SEAL),
        cwd=recording,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout
    assert ended.stdout.count("OK") == 1 + 8 + 5


def cut(folder: Path) -> None:
    path = folder / "captures" / "client-outer.pcapng"
    path.write_bytes(path.read_bytes()[:-7])


def flip(folder: Path) -> None:
    path = folder / "captures" / "router-web1.pcapng"
    data = path.read_bytes()
    path.write_bytes(data[:-20] + bytes((data[-20] ^ 1,)) + data[-19:])


def edit(folder: Path) -> None:
    """Somebody makes a run expect less."""
    path = folder / folders.FILE
    path.write_text(path.read_text().replace('"toa-first",', "", 1))


def pipe(folder: Path) -> None:
    path = folder / "captures" / "web1-web1.pcapng"
    path.unlink()
    os.mkfifo(path)


def pipes(folder: Path) -> None:
    path = folder / folders.FILE
    path.unlink()
    os.mkfifo(path)


def cut_json(folder: Path) -> None:
    path = folder / folders.FILE
    path.write_bytes(path.read_bytes()[:900])


def change(folder: Path, alter: Callable[[dict[str, object]], object]) -> None:
    path = folder / folders.FILE
    found = json.loads(path.read_text())
    alter(found)
    path.write_text(json.dumps(found))


def forget_parts(found: dict[str, object]) -> None:
    runs = found["runs"]
    assert isinstance(runs, list)
    del runs[0]["spans"]["client-outer"]


def expect_unknown(found: dict[str, object]) -> None:
    runs = found["runs"]
    assert isinstance(runs, list)
    runs[0]["run"]["rows"] = ["toa-frist"]


DAMAGE: dict[str, tuple[Callable[[Path], object], type[BuilderError], str]] = {
    "missing": (
        lambda folder: (folder / "captures" / "web1-web1.pcapng").unlink(),
        VerificationError,
        "captures/web1-web1.pcapng is missing",
    ),
    "cut": (cut, VerificationError, "captures/client-outer.pcapng has changed"),
    "one bit": (flip, VerificationError, "captures/router-web1.pcapng has changed"),
    "edited": (edit, VerificationError, "recording.json has changed"),
    "cut JSON": (cut_json, VerificationError, "truncated"),
    "no JSON": (
        lambda folder: (folder / folders.FILE).write_bytes(b"\0\xff"),
        VerificationError,
        "recording.json cannot be read",
    ),
    "another value": (
        lambda folder: (folder / folders.FILE).write_text('{"format": 1}'),
        VerificationError,
        "missing required field",
    ),
    "newer": (
        lambda folder: change(folder, lambda found: found.update(format=2)),
        UsageError,
        "its format is 2, and this program reads up to 1",
    ),
    "no seal": (
        lambda folder: (folder / folders.SEAL).unlink(),
        VerificationError,
        "recording.sha256",
    ),
    "no line of a seal": (
        lambda folder: (folder / folders.SEAL).write_text("x  ../../etc/passwd\n"),
        VerificationError,
        "no line of sha256sum",
    ),
    "a way out": (
        lambda folder: (folder / folders.SEAL).write_text(f"{'0' * 64}  ../../etc/passwd\n"),
        VerificationError,
        "no line of sha256sum",
    ),
    "unlisted": (
        lambda folder: (folder / folders.SEAL).write_text(""),
        VerificationError,
        "recording.json is not listed",
    ),
    "added": (
        lambda folder: (folder / "captures" / "more.pcapng").touch(),
        VerificationError,
        "captures/more.pcapng was added",
    ),
    "a console": (
        lambda folder: (folder / "consoles" / "web1.log").write_text("all is well"),
        VerificationError,
        "consoles/web1.log has changed",
    ),
    "no recording": (
        lambda folder: (folder / folders.FILE).unlink(),
        UsageError,
        "there is no file recording.json",
    ),
    "a pipe": (pipe, VerificationError, "captures/web1-web1.pcapng is not a file"),
    "a pipe for all": (pipes, UsageError, "there is no file recording.json"),
    "no folder": (shutil.rmtree, UsageError, "there is no folder"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_what_is_no_whole_recording_is_refused(recording: Path, name: str) -> None:
    damage, kind, words = DAMAGE[name]
    damage(recording)
    with pytest.raises(kind) as caught:
        judging.judge(recording)
    assert words in str(caught.value)
    assert caught.value.what and caught.value.cause and caught.value.hint
    assert caught.value.exit_code in (2, 4)


@pytest.mark.parametrize(
    ("alter", "words"),
    [
        (forget_parts, "run proof does not tell its part of every capture"),
        (expect_unknown, "this oracle has no assertion 'toa-frist'"),
        (lambda found: found.update(runs=[]), "it has no run"),
        (lambda found: found.update(scenario={"name": "x"}), "missing required field"),
    ],
)
def test_a_seal_makes_no_sense_of_nonsense(
    recording: Path, alter: Callable[[dict[str, object]], object], words: str
) -> None:
    change(recording, alter)
    recordings.reseal(recording)
    with pytest.raises(VerificationError, match=words):
        judging.judge(recording)


def invoke(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """``invoke lab`` on a machine that has Python and nothing else."""
    return subprocess.run(
        (sys.executable, "-m", "builder", "lab", *words),
        cwd=cwd,
        env={"PATH": "/nowhere", "HOME": str(cwd), "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_needs_no_qemu_and_makes_verdict_and_page(original: Path) -> None:
    for name in ("verdict.json", "report.html"):
        (original / name).unlink(missing_ok=True)
    ended = invoke("--judge", original.name, cwd=original.parent)
    assert ended.returncode == 0, ended.stderr
    assert "lab fullnat: pass after 44.5 s from power-on" in ended.stderr
    assert "ok  proof: 22 assertions hold" in ended.stderr
    assert read_verdict(original / "verdict.json").outcome == "pass"
    assert (original / "report.html").is_file()


def test_the_command_ends_as_the_lab_did(tmp_path: Path) -> None:
    folder = recordings.make(tmp_path / "red", spoil=without_toa)
    ended = invoke("--judge", str(folder), cwd=tmp_path)
    assert ended.returncode == 8
    assert "failed: not proven: fullnat" in ended.stderr
    assert f"read {folder}/report.html" in ended.stderr
