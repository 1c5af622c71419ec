"""What is typed is judged before anything runs, and whatever the streams and the locale are."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from invoke.collection import Collection
from invoke.parser.argument import Argument

import tasks
from builder import commandline
from builder.commandline import vocabulary
from tests.world import ROOT

MISTAKES = [
    ("buidl", "there is no task 'buidl'; did you mean 'build'?", "./bootstrap --list"),
    ("build fetsh", "there is no task 'fetsh'; did you mean 'fetch'?", "./bootstrap --list"),
    ("--help buidl", "there is no task 'buidl'; did you mean 'build'?", "./bootstrap --list"),
    ("--list nothing", "there is no task 'nothing'", "./bootstrap --list"),
    ("build --jbos 3", "task build has no option '--jbos'; did you mean '--jobs'?", "build --help"),
    (
        "--verzion",
        "there is no option '--verzion'; did you mean '--version'?",
        "./bootstrap --list",
    ),
    (
        "--echo build",
        "there is no option '--echo'; did you mean '--version'?",
        "./bootstrap --list",
    ),
    (
        "--dry build",
        "there is no option --dry; did you mean '--dry-run'?",
        "build --dry-run",
    ),
    (
        "build --dry",
        "there is no option --dry; did you mean '--dry-run'?",
        "build --dry-run",
    ),
    ("-R build", "there is no option -R; did you mean '--dry-run'?", "build --dry-run"),
    ("build -R", "there is no option -R; did you mean '--dry-run'?", "build --dry-run"),
    ("explain", "task explain needs a stage", "./bootstrap show stages"),
    ("shell", "task shell needs a stage", "./bootstrap show stages"),
    ("lab-console --profile lts", "task lab-console needs a host", "./bootstrap lab --help"),
    ("build lts", "there is no task 'lts'", "./bootstrap build --profile lts"),
    ("lts", "there is no task 'lts'", "./bootstrap build --profile lts"),
    ("lab fullnat lts", "there is no task 'fullnat'", "./bootstrap --list"),
    ("show nothing", "there is no kind 'nothing'", "profiles, flavours"),
    ("show stages --profile ltx", "there is no profile 'ltx'; did you mean 'lts'?", "el6, lts"),
    ("build --profile", "option --profile needs a value", "./bootstrap build --help"),
    ("--list --list-depth x", "the command line cannot be understood", "./bootstrap --list"),
    ("--list --list-format x", "the command line cannot be understood", "./bootstrap --list"),
    ("build --jobs x", "--jobs 'x' is not a number of programs", "--jobs 2"),
    ("build --jobs -1", "--jobs '-1' is not a number of programs", "--jobs 2"),
    ("build --jobs 0", "--jobs '0' is not a number of programs", "--jobs 2"),
    ("build --jobs 1.5", "--jobs '1.5' is not a number of programs", "--jobs 2"),
    ("build --jobs \u0662", "--jobs '\u0662' is not a number of programs", "--jobs 2"),
    ("repo --jobs 99999999999", "--jobs '99999999999' is not a number of programs", "--jobs 2"),
    ("build --jobs=", "--jobs '' is not a number of programs", "--jobs 2"),
    ("build --only ,", "--only names nothing", "--only A,B"),
    ("build --only=", "--only names nothing", "--only A,B"),
    ("tree --only ,", "--only names nothing", "--only A,B"),
    ("patch --check --only ,,", "--only names nothing", "--only A,B"),
    ("build --only kernel,kernel", "--only names 'kernel' twice", "--only A,B"),
    ("lab --scenario ,", "--scenario names nothing", "--scenario A,B"),
    ("lab --scenario nat,nat", "--scenario names 'nat' twice", "--scenario A,B"),
    ("buidl --profile lts", "there is no task 'buidl'; did you mean 'build'?", "--list"),
    ("smoke --jbos=3", "task smoke has no option '--jbos'; did you mean '--jobs'?", "smoke --help"),
    ("clean -x", "task clean has no option '-x'", "./bootstrap clean --help"),
    ("build --quiet --verbose", "--quiet and --verbose contradict each other", "leave one"),
    ("-q build -v", "--quiet and --verbose contradict each other", "leave one"),
    ("build --profile ltz", "there is no profile 'ltz'; did you mean 'lts'?", "el6, lts"),
    ("build -p lts -f wm", "profile lts has no flavour 'wm'; did you mean 'vm'?", "director, vm"),
    ("build --base debain12", "there is no base 'debain12'; did you mean 'debian12'?", "centos6"),
    ("build -n --only kernal", "profile el6 has no component 'kernal'; did you mean 'kernel'?", ""),
    ("explain smok", "there is no stage 'smok'; did you mean 'smoke'?", "name one of these"),
    ("explain build:kernal", "there is no stage 'build:kernal'; did you mean 'build:kernel'?", ""),
    ("shell buidl:kernel", "'buidl:kernel' is not a stage; did you mean 'build'?", "show stages"),
    ("lab --scenario fulnat -p lts", "there is no scenario 'fulnat'; did you mean 'fullnat'?", ""),
    ("lab --check --scenario fulnat", "there is no scenario 'fulnat'; did you mean 'fullnat'?", ""),
    ("lab --keep --load", "--keep and --load do not go together", ""),
    ("update kernal -p lts", "profile lts has no source 'kernal'; did you mean 'kernel'?", ""),
    ("fetch --variant kernal=x", "profile el6 has no source 'kernal'; did you mean 'kernel'?", ""),
    ("show profils", "there is no kind 'profils'; did you mean 'profiles'?", "profiles, flavours"),
    ("clean --profile ltz", "there is no profile 'ltz'; did you mean 'lts'?", ""),
    ("verify --profile ltz", "there is no profile 'ltz'; did you mean 'lts'?", ""),
    ("report --profile ltz", "there is no profile 'ltz'; did you mean 'lts'?", ""),
    ("doctor --base debain12", "there is no base 'debain12'; did you mean 'debian12'?", ""),
    ("lab-console web1 -p ltz", "there is no profile 'ltz'; did you mean 'lts'?", ""),
    ("bench --profile ltz", "there is no profile 'ltz'; did you mean 'lts'?", ""),
    ("test --fast --long", "--fast and --long cannot be given together", ""),
]


@pytest.fixture(autouse=True)
def _apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LVS_BUILDER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))


@pytest.mark.parametrize(("words", "what", "hint"), MISTAKES)
def test_a_mistake_ends_in_three_lines_and_status_2(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, words: str, what: str, hint: str
) -> None:
    assert commandline.run(tasks, words.split()) == 2
    told = capsys.readouterr()
    assert told.out == ""
    lines = told.err.splitlines()
    assert [line.split(":")[0] for line in lines] == ["failed", "cause", "next"], told.err
    assert lines[0] == f"failed: {what}"
    assert hint in lines[2]
    assert not (tmp_path / "cache").exists(), "what is refused has made nothing"


def test_no_configuration_of_invoke_s_changes_a_task(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".invoke.yaml").write_text("tasks: [not a table\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert commandline.run(tasks, ["--list"]) == 0
    assert "lab-console" in capsys.readouterr().out


def shell(script: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """A line of bash in which ``$INVOKE`` is a plain ``invoke``."""
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", script],
        cwd=ROOT,
        env={**os.environ, "INVOKE": f"{sys.executable} -m invoke", **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("words", ["--list", "build --help", "explain smoke --profile lts"])
def test_a_reader_that_has_gone_is_no_reason_to_complain(words: str) -> None:
    ended = shell(f"$INVOKE {words} | true")
    assert (ended.returncode, ended.stderr) == (141, b"")


def test_a_reader_of_messages_that_has_gone_is_none_either() -> None:
    ended = shell("$INVOKE build --profile none 2>&1 | true")
    assert (ended.returncode, ended.stdout, ended.stderr) == (141, b"", b"")


def test_a_full_disk_under_the_output_is_told() -> None:
    ended = shell("$INVOKE --list >/dev/full")
    assert ended.returncode == 7
    lines = ended.stderr.decode().splitlines()
    assert lines[0] == "failed: the output cannot be written"
    assert lines[1] == "cause: No space left on device"


def test_a_full_disk_under_messages_is_no_traceback() -> None:
    ended = shell("$INVOKE build --profile none 2>/dev/full")
    assert (ended.returncode, ended.stdout) == (7, b"")


@pytest.mark.parametrize(
    ("redirection", "status"), [(">&-", 0), ("<&- >&-", 0), ("--verzion 2>&-", 2)]
)
def test_a_stream_may_be_closed(redirection: str, status: int) -> None:
    ended = shell(f"$INVOKE --list {redirection}")
    assert (ended.returncode, ended.stderr) == (status, b"")


@pytest.mark.parametrize("locale", ["C", "POSIX", "C.UTF-8"])
def test_plain_locales_are_utf_8_too(locale: str) -> None:
    said = shell("$INVOKE build --profile '\u65e5\u672c\u00e9'", LC_ALL=locale)
    assert "'\u65e5\u672c\u00e9' is not the name of a profile" in said.stderr.decode()


def arguments() -> list[Argument]:
    """Every option of every task, and the program's own."""
    known = Collection.from_module(tasks).tasks.values()
    of_tasks = [argument for task in known for argument in task.get_arguments()]
    return [*of_tasks, *commandline.Program(tasks).core_args()]


def test_one_letter_means_one_thing_in_all_tasks() -> None:
    """Also before a task: ``-v build`` is ``build -v``."""
    meanings: dict[str, set[str]] = {}
    for argument in arguments():
        name, *letters = argument.names
        assert len(name) > 1
        assert len(letters) <= 1
        for letter in letters:
            meanings.setdefault(letter, set()).add(name)
    assert {letter: names for letter, names in meanings.items() if len(names) > 1} == {}
    assert {"q", "v", "n", "h", "V"} <= set(meanings)


def test_every_letter_of_the_vocabulary_is_some_option_s() -> None:
    found = {one.names[0]: one.names[1] for one in arguments() if len(one.names) > 1}
    assert found == vocabulary.LETTERS


@pytest.mark.parametrize("words", ["-q --help build", "build -q -h", "build --quiet --help"])
def test_the_options_of_every_task_may_stand_anywhere(
    capsys: pytest.CaptureFixture[str], words: str
) -> None:
    assert commandline.run(tasks, words.split()) == 0
    assert "--verbose" in capsys.readouterr().out


def test_h_is_help_whatever_a_tasks_options_are_called(capsys: pytest.CaptureFixture[str]) -> None:
    """``--hermetic`` and ``HOST`` would have it."""
    for task in Collection.from_module(tasks).tasks.values():
        assert "h" not in {name for one in task.get_arguments() for name in one.names}, task.name
    words = "build -h"
    assert commandline.run(tasks, words.split()) == 0
    assert "--hermetic" in capsys.readouterr().out
