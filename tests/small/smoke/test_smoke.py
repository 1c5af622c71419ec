"""An image that does not prove itself fails, with the console's last lines and no remains."""

from __future__ import annotations

import io
import shutil
import subprocess
from pathlib import Path

import pytest

from builder.console import Console
from builder.errors import BuilderError, EnvironmentFailure, SmokeError, UsageError
from builder.host import children
from builder.smoke import payload, proof, report
from builder.smoke.channel import Start, Transcript, Verdict
from builder.smoke.report import Check, SmokeReport
from builder.vm.hardware import AGREED, Accelerator
from builder.vm.machine import End, Limits, Run
from tests.support.vm import guests

pytestmark = pytest.mark.guest

TCG = Accelerator("tcg", "the tests say so", 0.0)
RELEASE = "6.1.192-1.lvs.x86_64"


def run_smoke(folder: Path, disk: bytes) -> SmokeReport:
    image = folder / "director.img"
    image.write_bytes(disk)
    try:
        return proof.prove(
            image,
            kernel_release=RELEASE,
            accelerator=TCG,
            scratch=folder / "scratch",
            console=Console(io.StringIO(), interactive=False),
            log_dir=folder / "logs",
            limits=Limits(total=9.0, silence=5.0),
        )
    finally:
        assert not children.children(), "a process was left behind"


@pytest.mark.parametrize(
    ("disk", "what"),
    [
        (guests.prints_panic(), "panicked"),
        (guests.reports_panic(), "panicked"),
        (guests.hangs(), "fell silent"),
        (guests.chatters(), "did not come to a verdict"),
        (guests.powers_off(), "did not run as it must"),
        (guests.resets(), "reset itself"),
        (guests.leaves_with(AGREED), "did not run as it must"),
        (guests.leaves_with(0x10), "status that was not agreed"),
        (bytes(1 << 20), "fell silent"),
    ],
)
def test_a_guest_without_a_proof_fails(tmp_path: Path, disk: bytes, what: str) -> None:
    with pytest.raises(SmokeError) as caught:
        run_smoke(tmp_path, disk)
    assert what in caught.value.what
    assert caught.value.exit_code == 8
    assert caught.value.log == tmp_path / "logs" / proof.CONSOLE_LOG
    assert "console" in caught.value.cause


def test_the_consoles_last_lines_are_shown(tmp_path: Path) -> None:
    with pytest.raises(SmokeError) as caught:
        run_smoke(tmp_path, guests.prints_panic())
    assert "Unable to mount root fs" in caught.value.cause


def test_a_missing_image_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no image"):
        proof.prove(
            tmp_path / "none",
            kernel_release=RELEASE,
            accelerator=TCG,
            scratch=tmp_path,
            console=Console(io.StringIO(), interactive=False),
            log_dir=tmp_path,
        )


def judged(checks: tuple[Check, ...], verdict: str, end: End = End.AGREED) -> BuilderError | None:
    """What smoke makes of a guest that reported ``checks``."""
    said = Transcript(start=Start("start", 1.0, 1), checks=list(checks))
    said.verdict = Verdict("pass" if verdict == "pass" else "fail", len(checks))
    run = Run(end, "", 85, 1.0, Path("/nonexistent"))
    result = proof.assemble(said, RELEASE, TCG, run)
    try:
        proof.judge(said, run, result, frozenset(check.check for check in checks))
    except BuilderError as error:
        return error
    return None


GOOD = (Check("kernel.release", True, RELEASE, 1), Check("other", True, "seen", 1))


def test_all_good_is_good() -> None:
    assert judged(GOOD, "pass") is None


def test_what_a_guest_cannot_do_is_neither_proof_nor_failure() -> None:
    lacking = (*GOOD, Check("nat", True, "it has none", 1, unsupported=True))
    assert judged(lacking, "pass") is None
    run = Run(End.AGREED, "", 85, 1.0, Path("/nonexistent"))
    report = proof.assemble(Transcript(checks=list(lacking)), RELEASE, TCG, run)
    assert report.summary == "2 checks, 1 unsupported"


def test_a_failing_check_fails_even_if_the_guest_says_pass() -> None:
    error = judged((*GOOD, Check("bad", False, "its reason", 1)), "pass")
    assert isinstance(error, SmokeError)
    assert "its reason" in error.cause


def test_a_guest_that_says_fail_fails() -> None:
    assert isinstance(judged(GOOD, "fail"), SmokeError)


def test_a_verdict_without_the_agreed_status_fails() -> None:
    assert isinstance(judged(GOOD, "pass", End.POWER_OFF), SmokeError)


def test_another_kernel_than_the_built_one_fails() -> None:
    error = judged((Check("kernel.release", True, "5.10", 1),), "pass")
    assert isinstance(error, SmokeError)
    assert "5.10" in error.cause


def test_the_report_survives_being_kept(tmp_path: Path) -> None:
    said = Transcript(start=Start("start", 1.0, 1), checks=list(GOOD))
    made = proof.assemble(said, RELEASE, TCG, Run(End.AGREED, "", 85, 1.0, tmp_path))
    report.save(made, tmp_path / "smoke.json")
    assert report.load(tmp_path / "smoke.json") == made
    (tmp_path / "smoke.json").write_text("{}")
    with pytest.raises(EnvironmentFailure):
        report.load(tmp_path / "smoke.json")


NAMES = sorted(path.parent.name for path in payload.GUESTS.glob("*/payload.toml"))


@pytest.mark.parametrize("name", NAMES)
def test_every_expected_check_is_made_by_the_payload_and_no_other(name: str) -> None:
    test = payload.load(name)
    made: set[str] = set()
    for file in (*test.programs, *test.parts):
        for line in file.read_text().splitlines():
            words = line.split()
            if words[:1] == ["check"] and len(words) > 2:
                made.add(words[1])
    assert made == test.checks


@pytest.mark.parametrize("name", NAMES)
def test_the_payload_disk_has_all_parts(tmp_path: Path, name: str) -> None:
    test = payload.load(name)
    disk = payload.make(tmp_path / "selftest.img", RELEASE, test)
    debugfs = shutil.which("debugfs", path="/usr/sbin:/sbin:/usr/bin")
    assert debugfs is not None
    listed = subprocess.run(
        [debugfs, "-R", "ls -p /", disk], check=True, capture_output=True, text=True
    ).stdout
    for file in ("release", *(path.name for path in (*test.programs, *test.parts))):
        assert f"/{file}/" in listed
    assert "/100755/" in next(line for line in listed.splitlines() if "/run/" in line)


def test_a_self_test_that_is_not_there_is_told_with_those_that_are() -> None:
    with pytest.raises(UsageError, match="no self-test 'none'") as caught:
        payload.load("none")
    assert "systemd" in caught.value.hint


@pytest.mark.parametrize("name", NAMES)
def test_shell_and_perl_are_clean(name: str) -> None:
    for program in payload.load(name).programs:
        perl = program.read_bytes().startswith(b"#!/usr/bin/perl")
        tool, options = ("perl", ["-c"]) if perl else ("shellcheck", ["-x"])
        if shutil.which(tool) is None:
            pytest.skip(f"no {tool} on this host")
        done = subprocess.run(
            [tool, *options, str(program)],
            cwd=Path(__file__).parents[3],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
