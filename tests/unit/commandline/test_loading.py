"""What a command does not need is not loaded: people wait for it each time."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.world import ROOT

SCRIPT = """\
import sys
import tasks
from builder import commandline
commandline.run(tasks, sys.argv[1:])
print("loaded", *sys.modules, file=sys.stderr)
"""
LIST = {"builder.commandline", "builder.commands", "builder.host", "builder.pipeline"}
HEAVY = {"tqdm", "docker", "requests", "createrepo_c", "dpkt", "pycparser"}
# What stages do when they run, and nobody needs to know whether they must.
RUN = {
    "builder.archive.unpack",
    "builder.base.bootstrap",
    "builder.base.yum",
    "builder.patch.apply",
    "builder.patch.diff",
    "builder.patch.series",
    "builder.source.fetch",
    "builder.source.openpgp",
    "builder.vm.hardware",
}


def loaded(cache: Path, *words: str) -> set[str]:
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT, *words],
        cwd=ROOT,
        env={**os.environ, "LVS_BUILDER_CACHE": str(cache)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return set(ended.stderr.rpartition("loaded ")[2].split())


@pytest.mark.parametrize("words", [("--list",), ("build", "--help"), ("--version",)])
def test_a_look_at_the_tasks_loads_few_rooms(tmp_path: Path, words: tuple[str, ...]) -> None:
    found = loaded(tmp_path / "cache", *words)
    rooms = {
        name
        for name in found
        if name.startswith("builder.") and (ROOT / name.replace(".", "/")).is_dir()
    }
    assert rooms <= LIST
    assert not found & {*HEAVY, "jinja2", "msgspec", "builder.report"}


@pytest.mark.parametrize("words", [("explain", "smoke"), ("show", "stages")])
def test_a_look_at_the_stages_loads_nothing_that_runs_or_reports(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    found = loaded(tmp_path / "cache", *words, "--profile", "lts")
    assert "builder.stages.catalogue" in found
    assert not found & {*HEAVY, *RUN, "builder.report.html", "builder.commands.outputs"}
