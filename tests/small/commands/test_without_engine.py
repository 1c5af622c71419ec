"""What the commands that need no engine say of a small project: patch, tree, fetch, show, report.

Also init, which makes a project, and lab-console, which enters one of its hosts.
"""

from __future__ import annotations

import io
import os
import pty
import shlex
import signal
import socket
import threading
from pathlib import Path

import msgspec
import pytest

from builder.commands import (
    explain,
    init,
    inputs,
    interruption,
    listing,
    outcome,
    patches,
    produce,
    reports,
    terminal,
    trees,
)
from builder.commands.goals import only
from builder.console import Console
from builder.errors import (
    BuildError,
    PatchError,
    UsageError,
    VerificationError,
)
from builder.host import ci
from builder.host.paths import Project
from builder.pipeline.stagename import StageKind
from builder.report import filenames, publish
from builder.stages.request import Request, read_jobs
from tests.support.commands import desk
from tests.support.commands.desk import PROFILE, REQUEST, Desk
from tests.world import PATCH

PREP = only(StageKind.PREP, ())


@pytest.fixture
def made(tmp_path: Path) -> Desk:
    return desk.make(tmp_path)


def patch(made: Desk, *, check: bool = True, json: bool = False) -> None:
    with made.knowing():
        patches.report(REQUEST, PREP, made.place, check=check, json=json)


def test_a_check_of_patches_reports_every_hunk_and_publishes_nothing(
    made: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    patch(made)
    assert "say_two.patch: 1 file, 1 hunk: 1 clean" in capsys.readouterr().out
    assert made.world.artifacts() == []
    patch(made, json=True)
    told = msgspec.json.decode(capsys.readouterr().out)
    assert told["failure"] is None
    assert list(told["components"]) == ["tool"]


def test_a_rejected_hunk_fails_and_is_answered_once(
    made: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    made.world.write_patches(say_two=PATCH.replace('puts("one")', 'puts("eleven")'))
    with pytest.raises(PatchError) as caught:
        patch(made, json=True)
    told = msgspec.json.decode(capsys.readouterr().out)
    assert told["failure"]["status"] == 5
    assert "say_two.patch" in told["failure"]["what"]
    assert '+\tputs("two");' in told["failure"]["cause"]
    assert outcome.answer(caught.value, made.cache) == "", "it was answered already"
    with pytest.raises(PatchError):
        patch(made, check=False)


def test_in_ci_the_findings_are_files_and_annotations(
    made: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made.prepare()
    monkeypatch.setenv(ci.VARIABLE, "true")
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    made.world.write_patches(say_two=PATCH.replace('puts("one")', 'puts("eleven")'))
    with pytest.raises(PatchError):
        patch(made)
    assert any(line.startswith("::error") for line in made.said.getvalue().splitlines())
    assert list((made.project.artifacts(PROFILE) / "ci").iterdir())
    assert "rejected" in capsys.readouterr().out


def test_a_tree_is_laid_out_for_rpmbuild_and_each_time_anew(made: Desk) -> None:
    with made.knowing():
        (line,) = trees.lay_out(REQUEST, PREP, (), made.place)
    name, home, program, *words = shlex.split(line)
    assert (name, program, words[0]) == ("tool:", "rpmbuild", "-ba")
    assert Path(words[-1]).read_text().startswith("%global")
    folder = Path(home.removeprefix("HOME="))
    sources = folder / "rpmbuild" / "SOURCES"
    assert sorted(path.name for path in sources.iterdir()) == ["say_two.patch", "tool-1.0.tar.gz"]
    (sources / "mine").touch()
    with made.knowing():
        trees.lay_out(REQUEST, PREP, ("tool",), made.place)
    assert not (sources / "mine").exists()
    with pytest.raises(UsageError, match="has no component 'tol'; did you mean 'tool'"):
        trees.lay_out(REQUEST, only(StageKind.PREP, ("tol",)), ("tol",), made.place)
    told = trees.lay_out(msgspec.structs.replace(REQUEST, dry=True), PREP, (), made.place)
    assert told[-1].startswith("nothing has changed")


def test_fetch_names_where_each_source_came_from(
    made: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    with made.knowing():
        (line,) = inputs.fetch(REQUEST, made.place)
    digest = line.split()[1].rstrip(";")
    assert line.startswith("fetch:tool: ")
    assert "from file:tool-1.0.tar.gz; variant upstream; verified: " in line
    assert digest in made.lock.read_text()
    made.world.write_source({"tool.c": "new"})
    with pytest.raises(VerificationError), made.knowing():
        inputs.fetch(Request(PROFILE, locked=True), made.place)
    monkeypatch.setenv(ci.VARIABLE, "true")
    with pytest.raises(UsageError, match="changes the checkout") as caught:
        inputs.fetch(Request(PROFILE, update=True), made.place)
    assert "env -u CI invoke fetch --update --profile small" in caught.value.hint


def test_an_image_cannot_be_locked_by_what_only_compares(made: Desk) -> None:
    with pytest.raises(UsageError, match="--lock and --hermetic contradict each other") as caught:
        inputs.bootstrap(Request(PROFILE, hermetic=True), made.place, lock=True)
    assert "leave one out: invoke image --lock" in caught.value.hint
    told = inputs.bootstrap(Request(PROFILE, dry=True), made.place, refresh=True)
    assert any(line.startswith("image:guest: would run") for line in told)


@pytest.mark.parametrize("word", ["0", "1025", "-1", "two", "²", "1" * 5000, ""])
def test_a_number_of_programs_is_a_number(word: str) -> None:
    with pytest.raises(UsageError, match="is not a number of programs") as caught:
        read_jobs(word)
    assert len(str(caught.value)) < 500
    assert (read_jobs(None), read_jobs("1024")) == (0, 1024)


@pytest.mark.parametrize(
    ("variants", "words"),
    [
        (("tool",), "--variant tool names no variant"),
        (("tol=upstream",), "has no source 'tol'"),
        (("tool=upstraem",), "has no variant 'upstraem'"),
    ],
)
def test_a_variant_is_one_of_a_source(made: Desk, variants: tuple[str, ...], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        inputs.fetch(Request(PROFILE, variants=variants), made.place)


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        ("", "stages      steps of a build, in their order, and what each needs"),
        ("profiles", "small  one tiny tool"),
        ("flavours", "vm  none (default)"),
        ("components", "tool  1.0-1: tool"),
        ("stages", "build:tool   needs fetch:tool"),
        ("scenarios", "dr "),
        ("assertions", "answered "),
        ("config", "stages.store "),
    ],
)
def test_what_there_is_is_listed_in_columns(made: Desk, kind: str, line: str) -> None:
    with made.knowing():
        told = listing.show(kind, REQUEST, made.place)
    assert any(one.startswith(line) for one in told), told
    assert all(one == one.rstrip() for one in told)


def test_of_what_is_not_a_kind_the_nearest_is_named(made: Desk) -> None:
    with pytest.raises(UsageError, match="did you mean 'flavours'"):
        listing.show("flavors", REQUEST, made.place)
    told = listing.show("bases", REQUEST, made.place)
    assert any(one.endswith("(default of profile small)") for one in told)


def test_nothing_was_built_and_a_broken_record_are_told_apart(made: Desk) -> None:
    with pytest.raises(UsageError, match="nothing to report for profile small") as caught:
        reports.write(made.project, PROFILE)
    assert caught.value.hint == "invoke build --profile small"
    target = made.project.artifacts(PROFILE)
    target.mkdir(parents=True)
    (target / publish.RECORD).write_text('{"profile": 7}')
    with pytest.raises(UsageError, match="cannot be read"):
        reports.write(made.project, PROFILE)
    text = '{"profile": "small", "flavour": "vm", "base": "b", "stages": [], "outputs": []}'
    (target / publish.RECORD).write_text(text)
    assert reports.write(made.project, PROFILE) == target / filenames.PAGE
    assert "small" in (target / filenames.PAGE).read_text()


def test_a_stage_that_would_not_run_is_explained(made: Desk) -> None:
    made.prepare()
    goals = produce.exactly("prep:tool")
    (*_, told) = explain.explain_request(REQUEST, goals, made.place)
    assert told == "prep:tool: nothing has changed"
    made.world.write_patches(say_two=PATCH.replace("two", "six"))
    lines = explain.explain_request(REQUEST, goals, made.place)
    assert "prep:tool: would run" in lines[-2]
    assert "say_two.patch" in lines[-1]


def test_a_project_is_laid_out_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "mine"
    init.init(target)
    assert Project(target).is_laid_out
    assert sorted(path.name for path in target.iterdir()) == [".gitignore", *init.PARTS]
    assert os.listdir(target / "sources") == ["README.md"]  # noqa: PTH208
    assert all(path.stat().st_mode & 0o200 for path in target.rglob("*"))
    assert list(target.rglob("__pycache__")) == []
    with pytest.raises(UsageError, match="is not empty") as caught:
        init.init(target)
    assert caught.value.cause == "there is .gitignore and more"
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(UsageError, match="is not a folder"):
        init.init(file)
    monkeypatch.setattr(init, "PARTS", ("specs", "nothing"))
    with pytest.raises(FileNotFoundError):
        init.init(tmp_path / "other")
    assert list((tmp_path / "other").iterdir()) == [], "the next attempt is not refused"


@pytest.mark.parametrize("typed", [b"ls\x1dmore", b""])
def test_a_host_s_shell_is_left_with_its_key_or_when_it_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: bytes
) -> None:
    heard: list[bytes] = []
    ours, theirs = pty.openpty()
    (tmp_path / "shells").mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "shells" / "web1"))
        listener.listen()

        def serve() -> None:
            host, _ = listener.accept()
            with host:
                heard.append(host.recv(100))  # the terminal passes on every key from now on
                if not typed:
                    host.sendall(b"web1# ")
                    return
                os.write(ours, typed)
                while said := host.recv(100):
                    heard.append(said)

        guest = threading.Thread(target=serve)
        guest.start()
        said = io.StringIO()
        with os.fdopen(theirs) as keyboard, (tmp_path / "screen").open("w") as screen:
            monkeypatch.setattr("sys.stdin", keyboard)
            monkeypatch.setattr("sys.stdout", screen)
            terminal.enter("web1", tmp_path / "shells", "lts", Console(said, interactive=False))
        guest.join()
    os.close(ours)
    assert b"".join(heard) == b"\n" + typed.partition(b"\x1d")[0]
    assert typed or (tmp_path / "screen").read_bytes() == b"web1# "
    assert "web1: Ctrl-] leaves" in said.getvalue()


def test_a_host_that_does_not_run_is_told_with_those_that_did(tmp_path: Path) -> None:
    for name in ("web1", "client"):
        (tmp_path / name).touch()
    console = Console(io.StringIO(), interactive=False)
    with pytest.raises(UsageError, match="'web2' of profile lts runs; did you mean 'web1'") as told:
        terminal.enter("web2", tmp_path, "lts", console)
    assert "No such file or directory; hosts that were: client, web1" in told.value.cause
    with pytest.raises(UsageError, match="Connection refused"):
        terminal.enter("web1", tmp_path, "lts", console)
    with pytest.raises(UsageError, match="is not the name of a lab host"):
        terminal.enter("../web1", tmp_path, "lts", console)


def test_an_error_of_the_program_is_a_bug_and_of_the_system_none(
    made: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    text, status = outcome.of(ZeroDivisionError("by zero"), made.cache)
    assert (text, status) == (outcome.BUG, 1)
    assert "ZeroDivisionError: by zero" in capsys.readouterr().err
    text, status = outcome.of(PermissionError(13, "Permission denied", "/x"), made.cache)
    assert status == 7
    assert "/x" in text
    assert capsys.readouterr().err == ""
    told = msgspec.json.decode(outcome.answer(ZeroDivisionError("by zero"), made.cache))
    assert told["failure"]["what"] == "ZeroDivisionError: by zero"
    assert outcome.of(KeyboardInterrupt(), None)[1] == 130


def test_ci_folds_the_end_of_the_failed_stage_s_log(
    made: Desk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    log = tmp_path / "build.log"
    log.write_text("".join(f"line {number}\n" for number in range(500)) + "\x1b[2Jlast\n")
    error = BuildError("it failed", "x", log=log, stage="build:tool")
    text, _ = outcome.of(error, made.cache)
    assert "::group::log of build:tool" in text
    assert "line 499" in text
    assert "line 300\n" not in text
    assert "\x1b[2J" not in text
    log.unlink()
    assert "::group::" not in outcome.of(error, made.cache)[0]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_the_command_with_a_word(
    capfd: pytest.CaptureFixture[str], number: signal.Signals
) -> None:
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt), interruption.interruptible():
        os.kill(os.getpid(), number)
        threading.Event().wait(10)
    assert "press Ctrl-C again to exit at once" in capfd.readouterr().err
    assert signal.getsignal(number) == before
