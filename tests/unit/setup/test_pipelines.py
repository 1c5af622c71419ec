"""The examples for CI pipelines say what the forges understand, and nothing that is out of date."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from builder.host import tools
from builder.host.tools import Need
from builder.profile.load import available
from builder.report import filenames
from tests.support.setup import pipelines
from tests.world import ROOT

FORGES = (".github/workflows/director.yml", ".gitlab-ci.yml")


@pytest.mark.parametrize("name", FORGES)
def test_its_scripts_are_shell(name: str) -> None:
    for job in pipelines.jobs(name).values():
        for script in job.scripts:
            read = subprocess.run(
                ["sh", "-n"], input=script, text=True, capture_output=True, check=False
            )
            assert read.returncode == 0, (job.name, script, read.stderr)


@pytest.mark.parametrize("name", FORGES)
def test_it_builds_proves_and_keeps_what_comes_out(name: str) -> None:
    build = " && ".join(pipelines.jobs(name)["build"].scripts)
    tasks = re.findall(r"\./bootstrap (\w+)", build)
    assert tasks in (["build", "lab"], ["patch", "build", "lab"])
    update = "\n".join(pipelines.jobs(name)["update"].scripts)
    assert re.findall(r"\./bootstrap (?:--yes )?(\w+)", update) == ["update", "update"]


def test_profiles_and_folders_are_those_that_there_are() -> None:
    hub: dict[str, Any] = yaml.safe_load(pipelines.files()[FORGES[0]])
    lab: dict[str, Any] = yaml.safe_load(pipelines.files()[FORGES[1]])
    job = hub["jobs"]["build"]
    profiles = job["strategy"]["matrix"]["profile"]
    assert profiles == lab["build"]["parallel"]["matrix"][0]["LVS_PROFILE"]
    assert set(profiles) <= set(available(ROOT / "specs"))
    kept = [step["with"]["path"] for step in job["steps"] if "path" in step.get("with", {})]
    assert kept == [job["env"]["LVS_BUILDER_CACHE"], "artifacts/"]
    artifacts = lab["build"]["artifacts"]
    assert (artifacts["when"], artifacts["paths"]) == ("always", ["artifacts/"])
    reports = f"artifacts/*/{filenames.CI}"
    assert artifacts["reports"] == {
        "junit": f"{reports}/*{Path(filenames.JUNIT).suffix}",
        "codequality": f"{reports}/{filenames.QUALITY}",
    }
    for key in re.findall(r"'(\w+)/\*\*'", pipelines.files()[FORGES[0]]):
        assert (ROOT / key).is_dir()


def test_the_container_file_has_the_packages_of_every_build() -> None:
    words = set(pipelines.files()["Containerfile"].split())
    wanted = tools.of(Need.BUILD, Need.MMDEBSTRAP, Need.YUM, Need.ENGINE)
    assert {tool.package for tool in wanted} - words == set()
