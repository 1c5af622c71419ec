"""What a run that fails, is interrupted or is killed leaves in artifacts/, for users and for CI."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from builder.report import publish
from tests.support.clock import busy
from tests.support.mishaps.waiting import Listener
from tests.world import PATCH, SOURCE, SPEC, World

pytestmark = [pytest.mark.timeout(900)]
SMALL = ("--profile", "small")
BUILD = ("build", *SMALL, "--only", "tool")
BROKEN = SPEC.replace("make %", "echo told in the log; false; make %")
SLOW = SPEC.replace("make %", "sleep 60; make %")


def target(small: World) -> Path:
    return small.project / "artifacts" / "small"


def read(small: World) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((target(small) / "build.json").read_text())
    return found


def logs(small: World) -> set[str]:
    return {path.name for path in (target(small) / "logs").iterdir()}


def wait_for_log(small: World, name: str, pid: int) -> None:
    """Until the container says something, which takes long where an engine has to be started."""
    deadline = time.monotonic() + 300
    place = f"logs/small/*-{pid}/{name}"  # a run's name ends with its process id
    while not any(path.stat().st_size for path in small.cache.glob(place)):
        assert time.monotonic() < deadline, "the container says nothing"
        time.sleep(0.1)


def whole(small: World) -> bool:
    """Nothing half: no leavings, and every file that is on record is as it says."""
    hidden = [path.name for path in target(small).rglob(".*") if path.name != ".published.json"]
    return not hidden and not any(fault for _, fault in publish.faults_of(target(small)))


@pytest.mark.engine
def test_only_one_component_is_published_and_its_place_is_told(small: World) -> None:
    ended = small.run(*BUILD)
    assert ended.status == 0, ended.errors
    assert "results are in artifacts/small/components/tool/" in ended.errors
    folder = target(small) / "components" / "tool"
    assert [path.name for path in (folder / "rpms").iterdir()] == ["tool-1.0-1.x86_64.rpm"]
    assert [path.name for path in (folder / "srpms").iterdir()] == ["tool-1.0-1.src.rpm"]
    assert read(small)["outcome"] == "passed"
    assert small.run("verify", *SMALL).status == 0
    assert whole(small)


@pytest.mark.engine
def test_a_failed_build_leaves_logs_record_and_a_red_report(small: World) -> None:
    small.write_source({**SOURCE, "ID": str(time.time_ns())})
    assert small.run(*BUILD).status == 0
    green = (target(small) / "components/tool/rpms/tool-1.0-1.x86_64.rpm").read_bytes()
    small.write_spec(BROKEN)
    ended = small.run(*BUILD)
    assert ended.status == 6, ended.errors
    assert "are in artifacts/small/" in ended.errors
    made = read(small)
    assert (made["outcome"], made["failure"]["stage"]) == ("failed", "build:tool")
    assert made["failure"]["status"] == 6
    assert "told in the log" in (target(small) / made["failure"]["log"]).read_text()
    assert f"log:   {target(small)}/logs/build-tool.log" in ended.errors
    assert {"fetch-tool.log", "prep-tool.log", "build-tool.log"} & logs(small) >= {
        "prep-tool.log",
        "build-tool.log",
    }
    assert made["outputs"] == [], "the earlier run's RPM is not of this one"
    assert [entry["folder"] for entry in made["earlier"]] == ["components/tool"]
    assert (target(small) / "components/tool/rpms/tool-1.0-1.x86_64.rpm").read_bytes() == green
    assert "Failed in build:tool" in (target(small) / "report.html").read_text()
    assert whole(small)
    small.write_spec(SPEC)
    assert small.run(*BUILD).status == 0
    assert (read(small)["outcome"], read(small)["earlier"]) == ("passed", [])


@pytest.mark.parametrize("words", [("fetch", *SMALL), ("tree", *SMALL), ("patch", *SMALL)])
def test_a_source_that_nobody_has_is_on_record(small: World, words: tuple[str, ...]) -> None:
    (small.project / "tool-1.0.tar.gz").unlink()
    ended = small.run(*words)
    assert ended.status == 3, ended.errors
    made = read(small)
    assert (made["failure"]["stage"], made["failure"]["status"]) == ("fetch:tool", 3)
    assert "no such file" in (target(small) / "report.html").read_text()
    assert whole(small)


def test_a_patch_that_rejects_is_on_record_with_its_hunk(small: World) -> None:
    small.write_patches(say_two=PATCH.replace('puts("one")', 'puts("eleven")'))
    ended = small.run("tree", *SMALL)
    assert ended.status == 5
    made = read(small)
    assert "say_two.patch" in made["failure"]["what"]
    assert "eleven" in made["failure"]["cause"]
    log = target(small) / made["failure"]["log"]
    assert "1 rejected" in log.read_text()
    assert {stage["name"] for stage in made["stages"]} == {"fetch:tool", "unpack:tool"}
    assert [one["state"] for one in made["unfinished"]] == ["failed"]


def test_what_is_only_tried_leaves_no_record(small: World) -> None:
    small.write_patches(say_two=PATCH.replace('puts("one")', 'puts("eleven")'))
    assert small.run("patch", "--check", *SMALL).status == 5
    assert small.run("build", *SMALL, "--only", "none").status == 2
    assert small.artifacts() == []


@pytest.mark.engine
def test_a_killed_build_is_on_record_as_not_finished(small: World) -> None:
    small.write_source({**SOURCE, "ID": str(time.time_ns())})
    assert small.run(*BUILD).status == 0
    small.write_spec(SLOW)
    process = small.start(*BUILD)
    Listener(process).wait_for("build:tool: started")
    process.kill()
    process.wait(30)
    made = read(small)
    assert (made["outcome"], made["outputs"]) == ("running", [])
    assert [entry["folder"] for entry in made["earlier"]] == ["components/tool"]
    assert "Not finished" in (target(small) / "report.html").read_text()
    assert whole(small)
    small.write_spec(SPEC)
    assert small.run(*BUILD).status == 0
    assert read(small)["outcome"] == "passed"


@pytest.mark.engine
def test_an_interrupted_build_is_on_record_and_ends_soon(small: World) -> None:
    small.write_source({**SOURCE, "ID": str(time.time_ns())})
    small.write_spec(SPEC.replace("make %", "echo on its way; sleep 60; make %"))
    process = small.start(*BUILD)
    listener = Listener(process)
    listener.wait_for("build:tool: started")
    wait_for_log(small, "build-tool.log", process.pid)
    begun = time.monotonic()
    os.kill(process.pid, signal.SIGINT)
    assert process.wait(30) == 130, listener.text
    assert time.monotonic() - begun < busy(3)
    made = read(small)
    assert made["outcome"] == "interrupted"
    assert {"name": "build:tool", "state": "stopped"}.items() <= made["unfinished"][0].items()
    assert "build-tool.log" in logs(small)
    assert "Interrupted" in (target(small) / "report.html").read_text()
    assert whole(small)
