"""What CI services read: JUnit, SARIF, annotations and a summary, whatever is in the words."""

from __future__ import annotations

import io
import json
from pathlib import Path
from xml.etree import ElementTree

import msgspec
import pytest

from builder.commands import announcing
from builder.console import Console
from builder.forensics.findings import ComponentFindings, ProfileFindings
from builder.forensics.kconfig import ChangeKind, KconfigReport, Symbol, SymbolChange
from builder.lab import judging
from builder.lab import verdict as verdicts
from builder.patch.report import FileReport, HunkOutcome, HunkReport, PatchReport
from builder.report import finding, junit, machine, summary
from builder.report.finding import CodeFinding
from builder.smoke.report import Check, save
from tests.support.lab import recordings
from tests.support.lab.wire import Wire
from tests.support.report import sample

PATCH = (
    "--- a/net/core.c\n+++ b/net/core.c\n@@ -1,2 +1,2 @@\n-a\n+b\n@@ -40,1 +40,1 @@ f()\n-c\n+d\n"
)

PLACE = "patches/lts/kernel/one.patch"


def without_toa(wire: Wire) -> None:
    tcp = wire.tcp("inner", 0)
    tcp.opts = tcp.opts[8:]
    tcp.off = 5 + len(tcp.opts) // 4


def found(root: Path) -> ProfileFindings:
    """A patch of two hunks, of which the second is rejected, and a new question."""
    path = root / "patches" / "lts" / "kernel" / "one.patch"
    path.parent.mkdir(parents=True)
    path.write_text(PATCH)
    hunks = (
        HunkReport("@@ -1,2 +1,2 @@", HunkOutcome.OFFSET, 3, offset=2),
        HunkReport("@@ -40,1 +40,1 @@", HunkOutcome.REJECTED, 40, text="-c\n+d", reason="no c"),
    )
    patch = PatchReport(
        "one.patch", "first", (FileReport("net/core.c", "change", hunks),), path=str(path)
    )
    asked = Symbol("IP_VS_FULLNAT", "config", "bool", "FULLNAT")
    change = SymbolChange("IP_VS_FULLNAT", "net/Kconfig", ChangeKind.ADDED, after=asked)
    component = ComponentFindings((patch,), KconfigReport((change,)))
    return ProfileFindings({"kernel": component})


def cases(data: bytes) -> dict[str, str]:
    """By suite and name: what became of it."""
    return {
        f"{one.get('classname')}: {one.get('name')}": next(
            (child.tag for child in one if child.tag != "system-out"), "passed"
        )
        for one in ElementTree.fromstring(data).iter("testcase")  # noqa: S314 - our own
    }


def test_a_run_leaves_checks_and_assertions_as_junit(tmp_path: Path) -> None:
    folder = tmp_path / "lab" / "fullnat"
    folder.parent.mkdir()
    verdict = judging.judge(recordings.make(folder, spoil=without_toa)).verdict
    verdicts.save(verdict, folder / "verdict.json")
    (tmp_path / "smoke").mkdir()
    bad = Check("ipvs.fullnat", False, "Oops: 0000 [#1]", 3)
    save(
        msgspec.structs.replace(sample.SMOKE, checks=(*sample.SMOKE.checks, bad)),
        tmp_path / "smoke/smoke.json",
    )
    outputs = tuple(
        msgspec.structs.replace(one, sha256=recordings.TRIED.image)
        for one in sample.outputs(
            {"vm/director.qcow2": 5, "smoke/smoke.json": 9, "lab/fullnat/verdict.json": 7}
        )
    )
    machine.write(tmp_path, msgspec.structs.replace(sample.green(), outputs=outputs))
    told = cases((tmp_path / "ci" / "junit.xml").read_bytes())
    assert told["smoke: ipvs.synproxy"] == "skipped"
    assert told["smoke: ipvs.fullnat"] == "failure"
    names = {name.partition(": ")[2].partition(":")[0]: one for name, one in told.items()}
    assert (names["toa-first"], names["answered"]) == ("failure", "passed")
    assert names["negative control"] == "passed"
    assert "expected: TOA 10.0.1.2:50026" in (tmp_path / "ci" / "junit.xml").read_text()
    assert (
        "- ❌ ipvs.fullnat: Oops: 0000 &#91;#1&#93;" in (tmp_path / "ci" / "summary.md").read_text()
    )


def test_hunks_are_cases_and_findings_have_their_line(tmp_path: Path) -> None:
    findings = machine.write_findings(tmp_path / "out", found(tmp_path), tmp_path)
    told = cases((tmp_path / "out/ci/patches.xml").read_bytes())
    assert told == {
        "patch.kernel.one.patch: net/core.c: hunk 1 of 2": "passed",
        "patch.kernel.one.patch: net/core.c: hunk 2 of 2": "failure",
    }
    assert [(one.rule, one.level, one.line) for one in findings] == [
        ("patch-offset", "note", 3),
        ("patch-rejected", "error", 6),
        ("kconfig-question", "note", 1),
    ]
    log = json.loads((tmp_path / "out/ci/patches.sarif").read_text())
    (run,) = log["runs"]
    assert log["version"] == "2.1.0"
    rules = {one["id"] for one in run["tool"]["driver"]["rules"]}
    assert {one["ruleId"] for one in run["results"]} <= rules
    place = run["results"][1]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == PLACE
    assert place["region"] == {"startLine": 6}


def test_gitlab_is_told_of_every_finding_by_file_and_line(tmp_path: Path) -> None:
    machine.write_findings(tmp_path / "artifacts" / "lts", found(tmp_path), tmp_path)
    issues = json.loads((tmp_path / "artifacts/lts/ci/patches.codequality.json").read_text())
    assert [(one["check_name"], one["severity"], one["location"]) for one in issues] == [
        ("patch-offset", "info", {"path": PLACE, "lines": {"begin": 3}}),
        ("patch-rejected", "critical", {"path": PLACE, "lines": {"begin": 6}}),
        ("kconfig-question", "info", {"path": "specs/lts/profile.toml", "lines": {"begin": 1}}),
    ]
    assert len({one["fingerprint"] for one in issues}) == len(issues)
    assert all(one["description"] for one in issues)


def test_what_xml_cannot_have_is_replaced() -> None:
    suite = junit.JunitSuite("s\x1b", (junit.JunitCase("n\0", "failed", "\x1b[31m <&> \ud800"),))
    (case,) = ElementTree.fromstring(junit.encode((suite,))).iter("testcase")  # noqa: S314
    assert case.get("name") == "n\ufffd"
    failure = case.find("failure")
    assert failure is not None
    assert failure.text == "\ufffd[31m <&> \ufffd"


def test_an_annotation_is_one_line_and_one_command() -> None:
    one = CodeFinding("patch-rejected", "error", "100 %\n::error::x", "a,b:c.patch", 7)
    assert finding.as_annotation(one) == (
        "::error file=a%2Cb%3Ac.patch,line=7,title=A hunk does not apply::100 %25%0A::error::x"
    )


def test_texts_of_others_are_no_markup_in_the_summary() -> None:
    told = summary.markdown(sample.red(f"a | b `c` {sample.HOSTILE}"), None)
    assert "<img" not in told
    assert "a &#124; b &#96;c&#96;" in told
    assert "Failed in vm" in told


def test_a_job_on_github_gets_summary_and_annotation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = io.StringIO()
    console = Console(said, interactive=False)
    announcing.tell(console, tmp_path, sample.red())
    assert said.getvalue() == "", "nobody asked"
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "step.md"))
    (tmp_path / "step.md").write_text("before\n")
    announcing.tell(console, tmp_path, sample.red())
    assert said.getvalue().startswith("::error title=failure::a.c:1: error: oops%0A")
    assert (tmp_path / "step.md").read_text().startswith("before\n## ❌ lts / director: failed")
