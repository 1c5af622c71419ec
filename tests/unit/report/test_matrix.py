"""The lab's index: every scenario in every profile, as it was tried on the image that is there."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from builder.host.paths import Project
from builder.lab import catalogue
from builder.profile import load
from builder.report import matrix, record
from builder.report.record import LabRecord
from tests.support.report import sample
from tests.support.report.reading import Page, faults
from tests.world import ROOT


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """This project's profiles, of which lts was built and tried."""
    for name in ("specs", "dockerfiles"):
        (tmp_path / name).symlink_to(ROOT / name)
    found = Project(tmp_path)
    tried = (
        LabRecord("fullnat", "lab/fullnat", "lab/fullnat/report.html", "pass", True, held=22),
        LabRecord("nat", "lab/nat", "lab/nat/report.html", "fail", True),
        LabRecord("tun", "lab/tun", "lab/tun/verdict.json", "pass", False),
    )
    made = msgspec.structs.replace(sample.green(), lab=tried)
    target = found.artifacts("lts")
    target.mkdir(parents=True)
    (target / "build.json").write_bytes(record.encode(made))
    return found


def cells(page: Path) -> dict[str, str]:
    """The rows of the table, by scenario."""
    read = Page(page.read_text())
    names = [one.text for one in read.all("th") if one.attributes["scope"] == "row"]
    return dict(zip(names, (one.text for one in read.all("tr")[1:]), strict=True))


def test_it_has_every_scenario_and_every_profile_with_links(project: Project) -> None:
    page = matrix.write(project)
    assert page is not None
    found = cells(page)
    assert set(found) == set(catalogue.available())
    assert "✓ proven: fullnat in lts22 hold" in found["fullnat"]
    assert "✗ not proven: nat in lts" in found["nat"]
    assert " on another image: tun in lts" in found["tun"]
    assert " no verdict yet" in found["fullnat"], "el6 was not built"
    assert " left outthis series translates TCP alone" in found["fullnat-udp"]
    links = {one.attributes["href"] for one in Page(page.read_text()).all("a")}
    assert {"lts/report.html", "lts/lab/fullnat/report.html", "lts/lab/nat/report.html"} <= links


def test_the_words_of_the_cells_are_explained(project: Project) -> None:
    page = matrix.write(project)
    assert page is not None
    read = Page(page.read_text())
    told = {one.text for one in read.all("dt")}
    cells = " ".join(one.text for one in read.all("td"))
    assert told == {"left out", "no verdict yet", "on another image", "series"}
    assert all(word in cells for word in told)


def test_profiles_are_counted_by_the_scenarios_that_they_run(project: Project) -> None:
    page = matrix.write(project)
    assert page is not None
    columns = [one.text for one in Page(page.read_text()).all("th")][1:3]
    lacking = load.load(project.specs, "el6").lab
    assert lacking is not None
    every = len(catalogue.available())
    left = len(set(lacking.unsupported) & set(catalogue.available()))
    assert columns[0].startswith("el6not built; 0 of ")
    assert columns[0].endswith(f"0 of {every - left} proven, {left} left out")
    assert columns[1].endswith(f"1 of {every} proven")


def test_what_a_profile_calls_code_is_shown_as_code(project: Project) -> None:
    page = matrix.write(project)
    assert page is not None
    read = Page(page.read_text())
    assert "expiry" in {one.text for one in read.all("code")}, "el6 names it as a reason"
    assert "`" not in "".join(one.text for one in read.all("body"))


def test_it_goes_with_the_last_verdict(project: Project) -> None:
    page = matrix.write(project)
    assert page is not None
    (project.artifacts("lts") / "build.json").unlink()
    assert matrix.write(project) is None
    assert not page.exists()


def test_people_with_keyboards_and_screen_readers_can_use_it(project: Project) -> None:
    page = matrix.write(project)
    assert page is not None
    assert faults(page.read_text()) == []
