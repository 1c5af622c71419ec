"""The whole way on real sources: from the package registry to a director that proves itself."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from builder.commands import produce
from builder.console import Console
from builder.place import Place
from builder.report import record
from builder.selftest.outcome import BUILT_NEWER
from builder.smoke import report as smoke_report
from tests.whole.conftest import REQUEST, Built

pytestmark = [pytest.mark.timeout(3000)]
UNCOVERED = {name: text for name, text in os.environ.items() if not name.startswith("COVERAGE_")}


def test_the_smoke_test_passes_on_the_image_that_was_built(built: Built) -> None:
    report = smoke_report.load(built.artifacts / "smoke" / "smoke.json")
    assert report.verdict == "pass"
    assert report.kernel_release.endswith(".lvs.vm.x86_64")
    assert report.kernel_release == (built.artifacts / "vm" / "release").read_text().strip()


def test_what_is_newer_than_its_pin_is_told(
    built: Built, record_property: Callable[[str, object], None]
) -> None:
    """``invoke test`` ends with it."""
    assert all(line.endswith(" is pinned") for line in built.newer)
    if built.newer:
        record_property(BUILT_NEWER, "; ".join(built.newer))


def test_every_input_and_output_is_on_record(built: Built) -> None:
    made = record.decode((built.artifacts / "build.json").read_bytes())
    assert {stage.name for stage in made.stages} == set(built.done)
    for output in made.outputs:
        path = built.artifacts / output.path
        assert path.stat().st_size == output.size, path
    kernel = next(stage for stage in made.stages if stage.name == "build:kernel")
    assert "file:kernel.config" in kernel.inputs
    assert any(name == "stage:prep:kernel" for name in kernel.inputs)
    page = (built.artifacts / "report.html").read_text()
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "Smoke test: passed" in page


def test_every_component_is_in_the_repository_with_its_source(built: Built) -> None:
    binary = {path.name for path in (built.artifacts / "repo" / "packages").iterdir()}
    source = {path.name for path in (built.artifacts / "repo" / "source").glob("*.rpm")}
    for package in (
        "kernel-lvs-6",
        "kernel-lvs-devel-6",
        "kernel-lvs-headers-6",
        "keepalived-2",
        "ipvsadm-1",
        "frr-8",
        "lvs-director-1",
    ):
        assert any(name.startswith(package) for name in binary), package
    assert len(source) == 5
    proof = json.loads((built.artifacts / "repo" / "install-proof.json").read_text())
    assert len(proof["packages"]) == len(binary)
    assert proof["verify"] == proof["leftovers"] == proof["scriptlets"] == []


def test_what_has_not_changed_is_not_done_again_and_needs_no_engine(built: Built) -> None:
    told = io.StringIO()
    done = produce.produce(
        REQUEST,
        produce.everything,
        Place(built.project, built.cache, Console(told, interactive=False)),
    )
    assert all(stage.hit for stage in done.values())
    assert "engine" not in told.getvalue()


def test_a_build_in_which_nothing_has_changed_answers_within_a_second(built: Built) -> None:
    """As a user has it: in a process of its own, whose lines nobody counts."""
    argv = [sys.executable, "-m", "invoke", "build", "--profile", REQUEST.profile]
    env = {**UNCOVERED, "LVS_BUILDER_CACHE": str(built.cache.root)}

    def seconds() -> float:
        begun = time.monotonic()
        ended = subprocess.run(
            [*argv, "--flavour", REQUEST.flavour, "--locked"],
            cwd=built.project.root,
            env=env,
            capture_output=True,
            text=True,
            check=True,
        )
        assert "nothing has changed" in ended.stderr + ended.stdout
        return time.monotonic() - begun

    seconds()  # Python compiles what the copy of the project has
    assert seconds() < 1.0


def test_the_same_inputs_give_the_same_image(built: Built) -> None:
    again = produce.produce(
        REQUEST,
        produce.exactly("vm"),
        Place(built.project, built.cache, Console()),
        forced=("vm",),
    )["vm"]
    assert not again.hit
    first = {entry.path: entry.sha256 for entry in built.done["vm"].manifest.outputs}
    second = {entry.path: entry.sha256 for entry in again.manifest.outputs}
    assert first == second
