"""The build's report: what came out, proof, differences, and the stages with their waits."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import msgspec
import pytest

from builder import pages
from builder.digest import of_text
from builder.host import processors
from builder.host.processors import ProcessorCount
from builder.pipeline.provenance import Provenance
from builder.report import chart, history, html, origin, record
from builder.report.record import BuildRecord, Earlier, Unfinished
from tests.support.report import sample
from tests.support.report.reading import Page, contrast, faults, palettes


def page(made: BuildRecord) -> str:
    return html.render(made, sample.SMOKE, sample.log_names(made))


@pytest.fixture(scope="module")
def green() -> str:
    return page(sample.green())


def test_it_says_when_where_and_of_which_checkout(green: str) -> None:
    for words in ("2026-11-26 ", "build01, 2 processors", "aa1c524f0000", "version 0.1.0"):
        assert words in green
    assert "with uncommitted changes" in green
    clean = msgspec.structs.replace(sample.ORIGIN, clean=True)
    assert ", clean" in page(msgspec.structs.replace(sample.green(), origin=clean))


def test_first_what_came_out_then_proof_then_differences_then_the_stages(green: str) -> None:
    headings = [one.text for one in Page(green).all("h2")]
    assert headings == [
        "Outputs",
        "Proof",
        "Changes since the previous build",
        "The last 3 builds",
        "Stages",
        "Built from",
        "Built in",
        "All inputs",
    ]


def test_every_file_log_and_verdict_is_linked(green: str) -> None:
    links = {one.attributes["href"] for one in Page(green).all("a")}
    made = sample.green()
    assert {one.path for one in made.outputs} <= links
    assert {f"logs/{name}" for name in sample.log_names(made)} <= links
    assert {"lab/fullnat/report.html", "../lab.html", "build.json"} <= links
    assert "lab/nat/report.html" not in links, "it not for this image"


def test_digests_are_such_as_sha256sum_reads(green: str) -> None:
    (block,) = (one for one in Page(green).all("pre") if "copy" in one.attributes["class"])
    lines = block.text.strip().splitlines()
    assert sorted(lines) == sorted(f"{one.sha256}  {one.path}" for one in sample.outputs())


def test_the_size_of_the_last_builds_says_of_what_it_is(green: str) -> None:
    """Only products are remembered of a build: no repodata, no proof."""
    headings = [one.text for one in Page(green).all("th")]
    assert "size of RPMs and image" in headings


def test_the_outputs_are_those_of_the_record(green: str) -> None:
    """Also in what the tables say above their files: how many there are, and how large."""
    told = re.findall(r"<caption>repo/: (\d+) files, ([^<]+)", green)
    files = [one for one in sample.outputs() if one.path.startswith("repo/")]
    assert told == [(str(len(files)), pages.size(sum(one.size for one in files)))]


def section(source: str, heading: str) -> str:
    """What is below a heading of a page, up to the next one; empty without it."""
    return source.partition(f">{heading}<")[2].partition("<h")[0]


def test_another_runs_verdict_of_this_image_is_not_told_as_of_another_build() -> None:
    """It counts whether the image is the same, not which run has made the verdict."""
    made = msgspec.structs.replace(
        sample.green(),
        earlier=(
            Earlier("lab/fullnat", of_text("a"), sample.BEGAN + 500),
            Earlier("lab/nat", of_text("b"), sample.BEGAN - 9000),
            Earlier("lab/toa", of_text("c"), sample.BEGAN - 9000),
        ),
    )
    told = page(made)
    same, other = section(told, "Verdicts on this image"), section(told, "From earlier runs")
    assert "lab/fullnat/" in same and "lab/nat/" not in same
    assert "2026-11-26 " in same
    assert sample.IMAGE in same, "the digest that decides it"
    assert "lab/fullnat/" not in other, "its inputs are known"
    assert "lab/nat/" in other, "it is of another image"
    assert "lab/toa/" in other, "it has no verdict"
    assert faults(told) == []
    assert "From earlier runs" not in page(msgspec.structs.replace(made, earlier=made.earlier[:1]))


def test_it_tells_how_it_differs_from_the_build_before(green: str) -> None:
    rows = [one.text for one in Page(green).all("tr")]
    assert "repo/packages/kernel-lvs.x86_646.1.8-1.lvs6.1.9-1.lvs" in rows
    assert "repo/packages/gone.x86_641-1not there" in rows
    assert "vm/director.qcow2400.0 MB412.0 MB+3%" in rows
    assert "build:kernel5 min 23 s4 min 23 s-19%" in rows
    assert not any(one.startswith("build:frr1 min") for one in rows), "it took the same time"


def test_changes_that_are_not_listed_are_counted() -> None:
    sizes = {**sample.SIZES, **{f"repo/packages/tool{at}-1-1.noarch.rpm": at for at in range(15)}}
    before = {path: size + 1 for path, size in sizes.items()}
    outputs = sample.outputs(sizes)
    builds = (sample.summary(0, sizes), sample.summary(1, before))
    told = page(msgspec.structs.replace(sample.green(), outputs=outputs, builds=builds))
    changed = len(history.sizes(*builds))
    assert changed == 20
    assert f"and {changed - 12} more, which changed less" in told
    assert faults(told) == []


def test_a_build_whose_outputs_do_not_lie_there_is_compared_with_nothing() -> None:
    made = sample.green()
    told = page(msgspec.structs.replace(made, outputs=made.outputs[:2]))
    assert "Changes since the previous build" not in told
    assert "The last" not in told


def test_the_stages_are_there_once_with_the_critical_path(green: str) -> None:
    assert "image:build → build:kernel → repo → vm → smoke" in green
    assert "processors were busy for 93 % of the run" in green
    rows = [one.text for one in Page(green).all("tr")]
    assert rows.count("log of build:kernelran, on the critical path4 min 23 s") == 1
    assert rows.count("log of build:frrran1 min 39 s") == 1


def test_the_critical_path_is_what_each_stage_had_to_wait_for() -> None:
    ran = {
        "a": sample.stage("a", 0, 5),
        "b": sample.stage("b", 0, 9),
        "c": sample.stage("c", 9, 1, "a", "b"),
        "d": sample.stage("d", 5, 2, "a"),
    }
    times = {name: chart.time_of(one) for name, one in ran.items()}
    assert chart.critical_path(times) == ("b", "c")
    assert chart.critical_path({}) == ()


def test_the_time_of_a_failed_stage_is_in_the_whole_and_in_the_chart() -> None:
    told = page(sample.red())
    assert "7 min 23 s from the first start to the last end" in told
    assert "image:build → build:kernel → repo → vm" in told
    rows = {one.text.partition("log of ")[2] or one.text for one in Page(told).all("tr")}
    assert "vmfailed, on the critical path20.0 s" in rows
    assert told.count('<rect class="bad"') == 1
    made = sample.red()
    late, never = made.unfinished
    drawn = chart.chart(made, None, {})
    assert drawn.seconds == pytest.approx(443)
    assert drawn.critical_seconds == pytest.approx(137.7 + 263.8 + 20.5 + 20)
    bars = {row.name: round(row.x + row.width) for row in drawn.rows if row.width}
    assert bars["vm"] == chart.WIDTH, "it ended last"
    assert never.name not in bars
    old = msgspec.structs.replace(late, started=0.0, needs=())
    drawn = chart.chart(msgspec.structs.replace(made, unfinished=(old,)), None, {})
    assert drawn.critical[-1] == "repo", "an earlier version did not record when it began"


def test_after_a_failed_trial_the_chart_is_still_that_of_the_build() -> None:
    made = sample.green()
    hits = tuple(msgspec.structs.replace(one, hit=True) for one in made.stages)
    trial = Unfinished("record:fullnat", "failed", 47.0, sample.BEGAN + 90_000, ("vm",))
    now = msgspec.structs.replace(made, stages=hits, unfinished=(trial,))
    drawn = chart.chart(now, now.builds[0], {})
    assert drawn.critical[-1] == "smoke"
    assert 480 < drawn.seconds < 490


def test_after_a_trial_the_chart_is_still_that_of_the_build() -> None:
    made = sample.green()
    hits = tuple(msgspec.structs.replace(one, hit=True) for one in made.stages)
    trial = sample.stage("record:fullnat", 90_000, 47)
    now = msgspec.structs.replace(made, stages=(*hits, trial))
    drawn = chart.chart(now, now.builds[0], {})
    assert drawn.critical[-1] == "smoke"
    assert {row.name: bool(row.width) for row in drawn.rows}["record:fullnat"] is False
    assert 480 < drawn.seconds < 490


def test_a_stage_that_another_machine_made_says_so() -> None:
    origin = Provenance(
        "https://stages.example.org/", "ci", "SHA256:x", "0.1.0", sample.BEGAN, 1500.0
    )
    made = sample.green()
    stages = tuple(
        msgspec.structs.replace(one, provenance=origin, hit=one.name == "vm")
        if one.name in ("build:kernel", "vm")
        else one
        for one in made.stages
    )
    made = msgspec.structs.replace(made, stages=stages)
    words = "came from the stage store https://stages.example.org/, signed by ci"
    drawn = chart.chart(made, None, {})
    states = {row.name: row.state for row in drawn.rows}
    assert states["build:kernel"] == words
    assert states["vm"] == f"nothing had changed; {words}"
    assert words in page(made)
    assert record.decode(record.encode(made)) == made
    stored = json.loads(record.encode(made))["stages"]
    assert {one["name"]: one["provenance"] for one in stored}["build:kernel"]["signer"] == "ci"


def test_nothing_that_others_wrote_is_markup() -> None:
    made = sample.red(sample.HOSTILE)
    bad = msgspec.structs.replace(sample.ORIGIN, host=sample.HOSTILE, commit=sample.HOSTILE)
    told = page(msgspec.structs.replace(made, origin=bad, unpublished={"vm": sample.HOSTILE}))
    assert "<img" not in told
    assert "&lt;img" in told
    assert Page(told).all("img", "script") == []


@pytest.mark.parametrize(
    ("path", "reference"),
    [
        ("repo/a b#c?.rpm", "repo/a%20b%23c%3F.rpm"),
        ("javascript:alert(1)", "javascript%3Aalert%281%29"),
        ("//evil.example/x", "evil.example/x"),
        ("/root/.cache/x.log", "/root/.cache/x.log"),
    ],
)
def test_a_file_name_stays_a_file_name_in_a_link(path: str, reference: str) -> None:
    assert pages.link(path) == reference


def test_people_with_keyboards_and_screen_readers_can_use_it(green: str) -> None:
    assert faults(green) == []
    assert faults(page(sample.red())) == []


def test_a_page_that_shuts_people_out_is_told() -> None:
    bad = "<html><body><h1>a</h1><h3>b</h3><svg></svg><table><tr><th></th></tr></table>"
    bad += "<a href='#x'>y</a></body></html>"
    assert len(faults(bad)) >= 6


def test_every_colour_of_text_is_read_on_its_ground(green: str) -> None:
    found = palettes(green)
    assert len(found) == 3
    for palette in (found[0], {**found[0], **found[1]}, {**found[0], **found[2]}):
        for ink in ("ink", "soft", "bar", "ok", "bad", "wait", "mark"):
            for ground in ("paper", "tint"):
                assert contrast(palette[ink], palette[ground]) >= 4.5, (ink, ground)


def test_builds_are_remembered_newest_first_and_not_for_ever(tmp_path: Path) -> None:
    path = tmp_path / "builds.json"
    for day in range(history.KEPT + 5, 0, -1):
        found = history.remember(path, sample.summary(day))
    assert history.read(path) == found
    assert len(found) == history.KEPT
    assert found[0].origin.began > found[-1].origin.began
    path.write_text("{")
    assert history.read(path) == ()


def test_the_origin_knows_the_commit_and_whether_files_were_changed(tmp_path: Path) -> None:
    def git(*words: str) -> None:
        who = ("-c", "user.name=n", "-c", "user.email=e@example.org")
        subprocess.run(("git", "-C", tmp_path, *who, *words), check=True, capture_output=True)

    assert origin.now(tmp_path).commit == ""
    git("init", "-q")
    git("commit", "-q", "--allow-empty", "-m", "first")
    now = origin.now(tmp_path)
    assert (len(now.commit), now.clean) == (40, True)
    (tmp_path / "new").write_text("")
    assert origin.now(tmp_path).clean is False


def test_processors_are_busy_for_a_part_of_the_time() -> None:
    before, now = ProcessorCount(100, 1000), ProcessorCount(190, 1100)
    assert now.share_since(before) == pytest.approx(0.9)
    assert now.share_since(now) is None
    assert processors.count().total > 0
    assert processors.count(Path("/nonexistent")) == ProcessorCount(0, 0)
