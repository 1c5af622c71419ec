"""What the host makes of a guest's report."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.errors import BuilderError, EnvironmentFailure, SmokeError
from builder.smoke import proof, report
from builder.smoke.channel import GuestVerdict, Start, Transcript
from builder.smoke.report import Check
from builder.vm.hardware import Accelerator
from builder.vm.machine import End, MachineRun

TCG = Accelerator("tcg", "the tests say so", 0.0)
RELEASE = "6.1.192-1.lvs.x86_64"


def judged(checks: tuple[Check, ...], verdict: str, end: End = End.AGREED) -> BuilderError | None:
    """What smoke makes of a guest that reported ``checks``."""
    said = Transcript(start=Start("start", 1.0, 1), checks=list(checks))
    said.verdict = GuestVerdict("pass" if verdict == "pass" else "fail", len(checks))
    run = MachineRun(end, "", 85, 1.0, Path("/nonexistent"))
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
    run = MachineRun(End.AGREED, "", 85, 1.0, Path("/nonexistent"))
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
    made = proof.assemble(said, RELEASE, TCG, MachineRun(End.AGREED, "", 85, 1.0, tmp_path))
    report.save(made, tmp_path / "smoke.json")
    assert report.load(tmp_path / "smoke.json") == made
    (tmp_path / "smoke.json").write_text("{}")
    with pytest.raises(EnvironmentFailure):
        report.load(tmp_path / "smoke.json")
