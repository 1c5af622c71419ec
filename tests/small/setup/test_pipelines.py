"""The scripts of docs/how-to/ci.md, run in order in a fresh clone, for a profile of one tool."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests import world
from tests.support.setup import pipelines
from tests.world import ROOT, World

pytestmark = [pytest.mark.engine, pytest.mark.registry, pytest.mark.timeout(900)]
# What only a forge has, or what would change this host.
OF_THE_FORGE = ("apt-get", "gh pr", "git push", "git config --global")
# The small world has one tool, and neither repository nor image.
SMALLER = {
    "--profile lts": "--profile small",
    "./bootstrap build": "./bootstrap build --only tool",
    "./bootstrap lab": "./bootstrap lab || test $? = 2",
}


def smaller(script: str) -> str:
    """A script without what cannot be done here, for the profile ``small``."""
    lines = [one for one in script.splitlines() if not any(word in one for word in OF_THE_FORGE)]
    kept = "\n".join(lines)
    for words, others in SMALLER.items():
        kept = kept.replace(words, others)
    return kept


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory, pipeline_cache: Path) -> World:
    """A clone with a committed profile ``small``, whose source is pinned."""
    home = tmp_path_factory.mktemp("pipelines") / "clone"
    subprocess.run(["git", "clone", "-q", ROOT, home], check=True)
    made = World(home, pipeline_cache, program=(home / "bootstrap",))
    world.add_profile(made)
    fetched = made.run("fetch", "--profile", "small")
    assert fetched.status == 0, fetched.errors
    git = ("git", "-C", home, "-c", "user.name=x", "-c", "user.email=x@localhost")
    subprocess.run([*git, "add", "--all"], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "small"], check=True)
    return made


def run(clone: World, script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "-e", "-c", script],
        cwd=clone.project,
        env={**os.environ, **clone.environment, "CI": "true", "LVS_PROFILE": "small"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("name", [".github/workflows/director.yml", ".gitlab-ci.yml"])
@pytest.mark.parametrize("job", ["build", "update"])
def test_the_scripts_of_a_job_do_what_they_say(clone: World, name: str, job: str) -> None:
    scripts = [kept for one in pipelines.jobs(name)[job].scripts if (kept := smaller(one))]
    assert scripts
    told = ""
    for script in scripts:
        ended = run(clone, script)
        assert ended.returncode == 0, (script, ended.stderr)
        told += ended.stdout + ended.stderr
    if job == "build":
        assert "profile small has no table [lab]" in told
        assert (clone.project / "artifacts/small/build.json").is_file()
        assert (clone.project / "artifacts/small/report.html").is_file()
    status = subprocess.run(
        ["git", "-C", clone.project, "status", "--short"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert status.stdout == ""
