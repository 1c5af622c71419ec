"""What a run that did not end well leaves in artifacts/: what was finished, and why no more."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from builder import pages
from builder.errors import BuildError
from builder.pipeline.stage import Done
from builder.report import failure, html, publish, record
from builder.report.publish import Ending, Publication
from builder.report.record import Unfinished
from tests.unit.report.test_publish import Site

PUBLICATIONS = (
    Publication("build:tool", "components/tool", until="repo"),
    Publication("repo", "repo"),
    Publication("vm", "vm"),
    Publication("smoke", "smoke", evidence=True),
)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def publish_all(site: Site, *stages: Done, ending: Ending = publish.PASSED) -> record.BuildRecord:
    done = {one.name: one for one in stages}
    made = publish.publish(
        site.target,
        PUBLICATIONS,
        done,
        list(publish.stale(site.target, PUBLICATIONS, done)),
        profile="p",
        flavour="f",
        base="b",
        ending=ending,
    )
    html.write(site.target, made)
    return made


def failing(
    site: Site,
    stage: str = "vm",
    *,
    logs: Mapping[str, Path] = {},
    evidence: Mapping[str, Path] = {},
) -> Ending:
    error = BuildError(f"{stage} broke", "a.c:1: error: <no>", "correct it", stage=stage)
    unfinished = (Unfinished(stage, "failed", 3.0), Unfinished("later", "not begun"))
    return Ending("failed", failure.of(error), unfinished, logs, evidence)


def test_a_record_says_what_is_this_runs_and_what_is_an_earlier_ones(site: Site) -> None:
    publish_all(site, site.commit("repo"), site.commit("vm"), site.commit("smoke"))
    made = publish_all(site, site.commit("repo", "anew", key="b"), ending=failing(site))
    assert {publish.folder_of(entry.path) for entry in made.outputs} == {"repo"}
    assert [entry.folder for entry in made.earlier] == ["smoke", "vm"]
    assert made.earlier[1].key != ""
    assert (site.target / "repo" / "deep" / "file").read_text() == "repo anew"
    assert (site.target / "vm" / "deep" / "file").read_text() == "vm made"
    written = json.loads((site.target / "build.json").read_text())
    assert (written["outcome"], written["failure"]["stage"]) == ("failed", "vm")
    never = {"name": "later", "state": "not begun", "seconds": 0.0, "started": 0.0, "needs": []}
    assert written["unfinished"][1] == never


def test_an_earlier_runs_folder_is_still_held_against_its_digests(site: Site) -> None:
    publish_all(site, site.commit("repo"), site.commit("vm"))
    for _ in range(2):  # what was earlier stays so
        publish_all(site, site.commit("repo", "anew", key="b"), ending=failing(site))
    (site.target / "vm" / "other").write_text("changed")
    faults = {path for path, words in publish.faults_of(site.target) if words}
    assert faults == {"vm/other"}


def test_a_run_under_way_leaves_no_green_record(site: Site) -> None:
    publish_all(site, site.commit("repo"))
    made = publish.begin(site.target, PUBLICATIONS, profile="p", flavour="f", base="b")
    html.write(site.target, made)
    read = record.decode((site.target / "build.json").read_bytes())
    assert (read.outcome, read.outputs) == ("running", ())
    assert [entry.folder for entry in read.earlier] == ["repo"]
    assert "Not finished" in (site.target / "report.html").read_text()
    assert not any(words for _, words in publish.faults_of(site.target))


def test_components_are_published_until_a_repository_has_them(site: Site) -> None:
    tool = site.commit("build:tool")
    made = publish_all(site, tool, ending=failing(site, "repo"))
    assert [entry.path for entry in made.outputs] == [
        "components/tool/deep/file",
        "components/tool/other",
    ]
    assert not any(words for _, words in publish.faults_of(site.target))
    made = publish_all(site, tool, site.commit("repo"))
    assert {publish.folder_of(entry.path) for entry in made.outputs} == {"repo"}
    assert made.earlier == ()
    assert not (site.target / "components").exists()
    publish_all(site, tool)
    assert (site.target / "components" / "tool" / "other").is_file()


def test_a_failed_stages_evidence_is_no_finished_output(site: Site) -> None:
    publish_all(site, site.commit("vm"), site.commit("smoke"))
    left = site.root / "left"
    left.mkdir()
    (left / "console.log").write_text("panic")
    made = publish_all(
        site, site.commit("vm"), ending=failing(site, "smoke", evidence={"smoke": left})
    )
    assert [entry.path for entry in made.outputs][-1] == "smoke/console.log"
    assert [path.name for path in (site.target / "smoke").iterdir()] == ["console.log"]
    smoke = site.commit("smoke")
    assert publish.stale(site.target, PUBLICATIONS, {"smoke": smoke}) == {"smoke": ""}
    publish_all(site, site.commit("vm"), smoke)
    assert (site.target / "smoke" / "other").is_file()


def test_what_cannot_be_published_after_a_failure_is_told_and_the_rest_is(site: Site) -> None:
    repo, vm = site.commit("repo"), site.commit("vm")
    (site.target).mkdir()
    (repo.path / "other").unlink()
    (repo.path / "other").symlink_to("deep")
    (repo.path / "deep" / "file").unlink()
    with pytest.raises(OSError, match="file"):
        publish_all(site, repo, vm)
    made = publish_all(site, repo, vm, ending=failing(site, "smoke"))
    assert "repo" in made.unpublished
    assert {publish.folder_of(entry.path) for entry in made.outputs} == {"vm"}


def test_logs_are_those_of_this_run(site: Site) -> None:
    log = site.root / "work" / "log"
    first = site.commit("repo")
    (first.path.parent / "stage.log").write_text("old")
    publish_all(site, first)
    second = site.commit("repo", "anew", key="b")
    (second.path.parent / "stage.log").write_text("of the second")
    log.parent.mkdir(exist_ok=True)
    log.write_text("why vm failed")
    publish_all(site, second, ending=failing(site, logs={"vm.log": log}))
    folder = site.target / "logs"
    assert {path.name: path.read_text() for path in folder.iterdir()} == {
        "repo.log": "of the second",
        "vm.log": "why vm failed",
    }
    publish_all(site, first)  # older than what lies there, and yet another one
    assert {path.name: path.read_text() for path in folder.iterdir()} == {"repo.log": "old"}


def test_what_a_killed_run_has_copied_in_half_is_removed(site: Site) -> None:
    half = site.target / ".repo.new"
    half.mkdir(parents=True)
    (half / "part").write_text("")
    publish_all(site, site.commit("vm"), ending=failing(site))
    assert not half.exists()


def test_a_red_report_says_where_why_and_what_next(site: Site) -> None:
    publish_all(site, site.commit("repo"), site.commit("vm"))
    publish_all(site, site.commit("repo", "anew", key="b"), ending=failing(site))
    text = (site.target / "report.html").read_text()
    for words in ("Failed in vm: vm broke", "error: &lt;no&gt;", "correct it", "not begun"):
        assert words in text
    assert "From earlier runs" in text
    assert "passed" not in text
    assert "<title>failed: p / f" in text


def test_a_command_in_a_hint_is_shown_as_one_and_nothing_else_is_markup() -> None:
    assert pages.quoted("run `a <b>`") == "run <code>a &lt;b&gt;</code>"


def test_a_record_of_an_earlier_version_is_read(site: Site) -> None:
    publish_all(site, site.commit("repo"))
    path = site.target / "build.json"
    old = json.loads(path.read_text())
    for name in ("outcome", "failure", "unfinished", "unpublished", "earlier"):
        del old[name]
    path.write_text(json.dumps({**old, "format": 1}))
    assert publish_all(site, site.commit("vm"), ending=failing(site)).earlier[0].folder == "repo"
