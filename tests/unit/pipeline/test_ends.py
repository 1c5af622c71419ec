"""However a run ends, what it has finished is published, and why the rest is not is said."""

from __future__ import annotations

import io
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest

from builder.base.model import load_base
from builder.commands import outputs
from builder.console import Console
from builder.errors import BuilderError, BuildError, SmokeError
from builder.host.paths import Cache, Project
from builder.pipeline.budget import Budget
from builder.pipeline.code import Code
from builder.pipeline.digest import Input
from builder.pipeline.ledger import Ledger
from builder.pipeline.schedule import Schedule
from builder.pipeline.stage import Stage, Work
from builder.pipeline.store import Store
from builder.profile import load
from builder.profile.build import resolve
from builder.report import record
from builder.rpm.rendered import RenderedSpecs
from builder.smoke.report import Check, SmokeReport, Timing, save
from builder.stages.baselock import BaseLock
from builder.stages.session import Session
from builder.stages.setting import Setting
from tests.damage import spoil
from tests.support.clock import busy
from tests.world import ROOT

Run = Callable[[Work], None]
TOOL = "build:keepalived"


def write(work: Work) -> None:
    (work.output / "made").write_text("whole")
    work.log.write_text("all went well\n")


def fail_to_boot(work: Work) -> None:
    """As the smoke stage does: the verdict and the console lie in its output."""
    (work.output / "console.log").write_text("Kernel panic\n")
    checks = (Check("ipvs.scheduler", False, "no such module", 3),)
    report = SmokeReport("fail", "6.1", "tcg", "", 1.0, Timing(0, 0, 0, 0), checks)
    save(report, work.output / "smoke.json")
    raise SmokeError("1 smoke check failed", "ipvs.scheduler", log=work.output / "console.log")


@dataclass
class Site:
    """Stages named as the real ones, on a cache and a project of their own."""

    root: Path
    said: io.StringIO = field(default_factory=io.StringIO)

    def stage(self, name: str, run: Run, *needs: str) -> Stage:
        return Stage(name, needs, lambda: (Input("x", name),), run)

    def session(self, *stages: Stage) -> Session:
        cache, console = Cache(self.root / "cache"), Console(self.said, interactive=False)
        profile = load.load(ROOT / "specs", "lts")
        setting = Setting(
            build=resolve(profile, "vm", load_base(ROOT / "dockerfiles" / profile.base)),
            locked=True,
            project=Project(self.root),
            cache=cache,
            console=console,
            engine=lambda: pytest.fail("no engine is needed"),
            jobs=lambda: self.root / "jobs",
            code=Code(None),
            rendered=RenderedSpecs(cache.ledger / "specs.json"),
        )
        budget = Budget(self.root / f"jobs-{time.time_ns()}", 2)
        store, ledger = Store(cache), Ledger(cache.ledger / "l.json")
        schedule = Schedule(
            store, ledger, cache, console, "lts/run", budget=lambda: budget, stop_work=lambda: None
        )
        schedule.begin = lambda: None
        named = {one.name: one for one in stages}
        return Session(setting, named, ledger, store, schedule, BaseLock(setting))

    @property
    def target(self) -> Path:
        return self.root / "artifacts" / "lts"

    @property
    def record(self) -> record.BuildRecord:
        return record.decode((self.target / "build.json").read_bytes())

    def run_failing(
        self, *stages: Stage, kind: type[BaseException] = BuilderError
    ) -> BaseException:
        session = self.session(*stages)
        with pytest.raises(kind) as caught, outputs.published_if_failing(session):
            session.settle(*(one.name for one in stages))
        return caught.value


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_a_failed_smoke_test_leaves_repository_image_verdict_and_console(site: Site) -> None:
    caught = site.run_failing(
        site.stage("repo", write),
        site.stage("vm", write, "repo"),
        site.stage("smoke", fail_to_boot, "vm"),
        kind=SmokeError,
    )
    assert isinstance(caught, SmokeError)
    assert caught.log == site.target / "smoke" / "console.log"
    made = site.record
    assert {entry.path for entry in made.outputs} == {
        "repo/made",
        "vm/made",
        "smoke/console.log",
        "smoke/smoke.json",
    }
    assert made.failure is not None
    assert (made.failure.log, made.failure.status) == ("smoke/console.log", 8)
    assert sorted(path.name for path in (site.target / "logs").iterdir()) == ["repo.log", "vm.log"]
    page = (site.target / "report.html").read_text()
    assert "Smoke test: failed" in page
    assert "no such module" in page
    assert "are in artifacts/lts/" in site.said.getvalue()


def test_a_stage_that_ends_well_while_the_run_stops_is_published(site: Site) -> None:
    running = threading.Event()

    def slow(work: Work) -> None:
        running.set()
        work.stop.wait(10)
        write(work)

    def break_soon(work: Work) -> None:
        running.wait(10)
        raise BuildError("it broke")

    site.run_failing(site.stage(TOOL, slow), site.stage("vm", break_soon), kind=BuildError)
    assert [entry.path for entry in site.record.outputs] == ["components/keepalived/made"]
    assert [(one.name, one.state) for one in site.record.unfinished] == [("vm", "failed")]


def test_a_stage_that_was_never_begun_is_named(site: Site) -> None:
    def break_now(work: Work) -> None:
        work.log.write_text("the compiler's words\n")
        raise BuildError("it broke")

    stages = (site.stage(TOOL, break_now), site.stage("repo", write, TOOL))
    site.run_failing(*stages, kind=BuildError)
    states = [(one.name, one.state) for one in site.record.unfinished]
    assert states == [(TOOL, "failed"), ("repo", "not begun")]
    failed, never = site.record.unfinished
    assert 0 <= time.time() - failed.started - failed.seconds < busy(10)
    assert (never.started, never.needs) == (0.0, (TOOL,))
    assert (site.target / "logs" / "build-keepalived.log").read_text() == "the compiler's words\n"
    assert site.record.outputs == ()


def test_a_bug_is_on_record_too(site: Site) -> None:
    def stumble(work: Work) -> None:
        raise ValueError("out of range")

    site.run_failing(site.stage("repo", write), site.stage("vm", stumble, "repo"), kind=ValueError)
    made = site.record
    assert made.failure is not None
    assert (made.failure.what, made.failure.status) == ("ValueError: out of range", 1)
    assert [entry.path for entry in made.outputs] == ["repo/made"]


def test_an_interrupt_publishes_what_is_soon_copied(site: Site) -> None:
    def write_much(work: Work) -> None:
        with (work.output / "disk").open("wb") as disk:
            os.truncate(disk.fileno(), outputs.HASTY_BYTES + 1)

    def interrupt(work: Work) -> None:
        raise KeyboardInterrupt

    stages = (
        site.stage("repo", write),
        site.stage("vm", write_much, "repo"),
        site.stage("smoke", interrupt, "vm"),
    )
    begun = time.monotonic()
    site.run_failing(*stages, kind=KeyboardInterrupt)
    assert time.monotonic() - begun < busy(10)
    made = site.record
    assert made.outcome == "interrupted"
    assert [entry.path for entry in made.outputs] == ["repo/made"]
    assert list(made.unpublished) == ["vm"]
    session = site.session(*stages[:2])
    outputs.publish_done(session, session.settle("vm"))
    assert (site.target / "vm" / "disk").is_file()
    assert (site.record.outcome, site.record.unpublished) == ("passed", {})


def test_what_has_changed_in_the_cache_is_not_published_after_a_failure(site: Site) -> None:
    def break_now(work: Work) -> None:
        raise BuildError("it broke")

    session = site.session(site.stage("repo", write))
    done = session.settle("repo")["repo"]
    spoil(done.path / "made")
    site.run_failing(site.stage("repo", write), site.stage("vm", break_now), kind=BuildError)
    assert site.record.outputs == ()
    assert "has changed" in site.record.unpublished["repo"]
    assert not (site.target / "repo").exists()


def test_secrets_of_a_failure_are_nowhere(site: Site) -> None:
    def leak(work: Work) -> None:
        raise BuildError("no", "got https://user:secretword@host/x?token=othersecret", "ask")

    site.run_failing(site.stage("repo", leak), kind=BuildError)
    for path in site.target.rglob("*"):
        if path.is_file():
            assert b"secretword" not in path.read_bytes(), path
            assert b"othersecret" not in path.read_bytes(), path
    assert msgspec.json.decode((site.target / "build.json").read_bytes())["format"] == 3


def test_a_place_that_cannot_be_written_hides_no_failure(site: Site) -> None:
    def break_now(work: Work) -> None:
        raise BuildError("it broke")

    site.target.parent.mkdir()
    site.target.write_text("a file is in the way")
    site.run_failing(site.stage("repo", break_now), kind=BuildError)
    assert "could not be published" in site.said.getvalue()


def build(site: Site, words: str) -> record.BuildRecord:
    """Build repository and image as a command does; ``words``: what they are made of."""

    def made_of(name: str, *needs: str) -> Stage:
        return Stage(name, needs, lambda: (Input("x", f"{name} {words}"),), write)

    session = site.session(made_of("repo"), made_of("vm", "repo"))
    session.schedule.begin = lambda: outputs.begin(session)
    with outputs.published_if_failing(session):
        outputs.publish_done(session, session.settle("repo", "vm"))
    return site.record


def test_builds_that_pass_are_remembered_and_a_run_without_work_is_none(site: Site) -> None:
    first = build(site, "one")
    assert first.origin is not None
    assert len(first.builds) == 1
    assert first.builds[0].stages.keys() == {"repo", "vm"}
    assert first.builds[0].products.keys() == {"vm/made"}
    idle = build(site, "one")
    assert all(stage.hit for stage in idle.stages)
    assert (idle.origin, idle.builds) == (first.origin, first.builds)
    page = site.target / "report.html"
    before = page.stat().st_ino
    assert build(site, "one") == idle
    assert page.stat().st_ino == before, "what has not changed is not written again"
    page.unlink()
    build(site, "one")
    assert page.is_file()
    second = build(site, "two")
    assert second.origin is not None
    assert second.origin.began > first.origin.began
    assert [one.origin.began for one in second.builds] == [
        second.origin.began,
        first.origin.began,
    ]
    assert "Changes since the previous build" in (site.target / "report.html").read_text()
    site.run_failing(site.stage("vm", fail_to_boot), kind=SmokeError)
    failed = site.record
    assert failed.origin is not None
    assert failed.origin.began >= second.origin.began
    assert failed.builds == second.builds, "a run that failed is no build"
