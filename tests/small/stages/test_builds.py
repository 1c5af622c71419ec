"""A component's build, as far as the engine's side is what a test wants it to be."""

from __future__ import annotations

import io
import os
import pty
from collections.abc import Iterator
from pathlib import Path

import pytest

from builder.commands import outcome, produce, shell
from builder.engine import container
from builder.errors import BuildError, EnvironmentFailure, UsageError
from builder.pipeline.stagename import BUILD_ROOT, StageKind
from builder.report import publish, record
from builder.stages.image import ReadyImage
from builder.stages.request import Request
from tests.support.commands import desk
from tests.support.commands.desk import PROFILE, REQUEST, Desk
from tests.support.engine import peer as peers
from tests.support.engine.peer import OUT, Container, Peer, Say
from tests.support.lab import finished

GOALS = produce.only(StageKind.BUILD, ())


def build(run: Container, say: Say) -> int:
    """As rpmbuild would: two RPMs in the home folder's tree."""
    home = run.mounts["/home/builder"] / "rpmbuild"
    say(OUT, b"  CC      tool.o\n  LD      tool\n")
    for folder, name in (("RPMS/x86_64", "x86_64"), ("SRPMS", "src")):
        (home / folder).mkdir(parents=True, exist_ok=True)
        (home / folder / f"tool-1.0-1.{name}.rpm").write_text(name)
    return 0


def fail(run: Container, say: Say) -> int:
    say(OUT, b"  CC      tool.o\ntool.c:3:1: error: expected ';' before 'return'\n")
    say(OUT, b"make: *** [Makefile:2: tool] Error 1\n")
    return 1


@pytest.fixture
def made(tmp_path: Path) -> Desk:
    """A project whose build image is in the cache."""
    made = desk.make(tmp_path)
    with made.session() as session:
        finished.commit(session, BUILD_ROOT, {})
    return made


@pytest.fixture
def peer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Peer]:
    monkeypatch.setattr(container, "OOM_SECONDS", 0.0)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    with peers.serve(tmp_path) as served:
        monkeypatch.setenv("DOCKER_HOST", served.url)
        served.program = build
        yield served


def run(made: Desk, request: Request = REQUEST) -> None:
    with made.knowing():
        produce.produce(request, GOALS, made.place)


def test_a_build_is_published_and_not_repeated(made: Desk, peer: Peer) -> None:
    run(made)
    target = made.project.artifacts(PROFILE)
    kept = {entry.path for entry in record.decode((target / publish.RECORD).read_bytes()).outputs}
    assert kept == {
        "components/tool/rpms/tool-1.0-1.x86_64.rpm",
        "components/tool/srpms/tool-1.0-1.src.rpm",
    }
    (one,) = peer.made
    assert one.config["HostConfig"]["NetworkMode"] == "none"
    writable = {m["Target"] for m in one.config["HostConfig"]["Mounts"] if not m["ReadOnly"]}
    assert writable == {"/home/builder", "/ccache", "/jobs"}
    said = made.said.getvalue()
    assert "engine: imported lvs-builder/debian12:" in said
    assert "results are in artifacts/small/components/tool/" in said
    peer.refusals["/"] = (500, "nobody may ask")
    run(made)
    assert "nothing has changed" in made.said.getvalue()


def test_the_image_is_imported_once_for_all_stages(made: Desk, peer: Peer) -> None:
    with made.session() as session:
        image = ReadyImage(session.setting)
        done = session.settle(BUILD_ROOT)[BUILD_ROOT]
        tag = image(done)
        assert image(done) == tag
        assert list(peer.imported) == [tag]
        assert ReadyImage(session.setting)(done) == tag
    assert list(peer.imported) == [tag], "the engine has it already"


def test_a_compiler_s_error_is_told_and_its_container_can_be_entered(
    made: Desk, peer: Peer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    peer.program = fail
    with pytest.raises(BuildError, match=r"building tool-1\.0 failed") as caught:
        run(made)
    assert "error: expected ';'" in caught.value.cause
    assert caught.value.stage == "build:tool"
    text, status = outcome.of(caught.value, made.cache)
    assert status == 6
    assert "shell build:tool" in text
    log = made.project.artifacts(PROFILE) / "logs" / "build-tool.log"
    assert "make: *** [Makefile:2: tool] Error 1" in log.read_text()
    peer.program = lambda run, say: 3
    ours, theirs = pty.openpty()
    with os.fdopen(theirs) as keyboard, (tmp_path / "screen").open("w") as screen:
        monkeypatch.setattr("sys.stdin", keyboard)
        monkeypatch.setattr("sys.stdout", screen)
        assert shell.enter("build:tool", made.place) == 3
    os.close(ours)
    assert peer.made[-1].config["Cmd"] == ["/bin/bash", "-i"]
    before, after = (one.config["HostConfig"]["Mounts"] for one in peer.made[-2:])
    assert before == after, "it is entered as it was run"
    peer.program = build
    run(made)
    assert not shell.can_enter(made.cache, "build:tool"), "the next run has swept it"


@pytest.mark.parametrize(
    ("stage", "words"),
    [
        ("build:tol", r"no failed container of stage 'build:tol'"),
        ("biuld:tool", r"'biuld:tool' is not a stage; did you mean 'build'"),
        ("\x1b[31m", "is not a stage"),
    ],
)
def test_a_stage_that_has_not_failed_cannot_be_entered(made: Desk, stage: str, words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        shell.enter(stage, made.place)
    assert "\x1b" not in str(caught.value)


def test_an_rpm_that_was_promised_and_is_not_there_is_told(made: Desk, peer: Peer) -> None:
    def forget(run: Container, say: Say) -> int:
        build(run, say)
        home = run.mounts["/home/builder"] / "rpmbuild"
        (home / "RPMS/x86_64/tool-1.0-1.x86_64.rpm").rename(home / "RPMS/x86_64/tol-1.0-1.rpm")
        (home / "SRPMS/tool-1.0-1.src.rpm").unlink()
        return 0

    peer.program = forget
    with pytest.raises(BuildError, match="but tool, tool source RPM is not there") as caught:
        run(made)
    assert caught.value.cause == "it made: tol-1.0-1.rpm"


def test_an_engine_that_is_not_there_is_told_before_anything_is_done(
    made: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    with pytest.raises(EnvironmentFailure, match="does not answer"):
        run(made)
    assert "fetch:tool: started" not in made.said.getvalue()


def test_an_engine_that_goes_away_is_told_and_what_was_finished_is_kept(
    made: Desk, peer: Peer
) -> None:
    peer.silent.add("/wait")
    with pytest.raises(EnvironmentFailure, match="went away") as caught:
        run(made)
    assert caught.value.stage == "build:tool"
    said = made.said = io.StringIO()
    peer.silent.clear()
    run(made)
    assert "prep:tool: started" not in said.getvalue()
    assert "build:tool: done" in said.getvalue()
