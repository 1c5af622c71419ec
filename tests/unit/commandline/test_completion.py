"""What may stand next is told, and nothing else: no message, no file, whatever was typed before."""

from __future__ import annotations

from pathlib import Path

import pytest

import tasks
from builder import commandline
from builder.commandline import completion


@pytest.fixture(autouse=True)
def _apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LVS_BUILDER_CACHE", str(tmp_path / "cache"))


def offered(capsys: pytest.CaptureFixture[str], typed: str) -> list[str]:
    """What is offered behind ``typed``: its last word is being typed, or none is begun yet."""
    assert commandline.run(tasks, ["--complete", "--", *typed.split(" ")]) == 0
    told = capsys.readouterr()
    assert told.err == ""
    return told.out.splitlines()


@pytest.mark.parametrize(
    ("typed", "some"),
    [
        ("", ["build", "lab-console", "verify"]),
        ("buil", ["build"]),
        ("--yes buil", ["build"]),
        ("build --fl", ["--flavour"]),
        ("build -", ["-n", "--dry-run", "--quiet"]),
        ("-", ["--version", "--yes"]),
        ("build --profile ", ["el6", "lts"]),
        ("build -p l", ["lts"]),
        ("build -p lts --flavour ", ["director", "vm"]),
        ("build --flavour=re", ["--flavour=realserver"]),
        ("build --base ", ["centos6", "debian12"]),
        ("build -p lts --only kernel,k", ["kernel,keepalived"]),
        ("explain build:", ["build:kernel", "build:quagga"]),
        ("explain -p lts smo", ["smoke"]),
        ("shell --quiet prep:", ["prep:kernel"]),
        ("lab --scenario full", ["fullnat", "fullnat-udp"]),
        ("show sc", ["scenarios"]),
        ("update -p lts fr", ["frr"]),
        ("fetch --variant kernel=", ["kernel=upstream"]),
        ("build -q la", ["lab", "lab-console"]),
        ("explain smoke bui", ["build"]),
        ("--print-completion-script ", list(completion.SHELLS)),
        # As Invoke's own scripts ask: the program first, and no empty word.
        ("invoke buil", ["build"]),
        ("invoke build", ["verify"]),
        ("./bootstrap build --profile", ["el6", "lts"]),
    ],
)
def test_what_exists_here_is_offered(
    capsys: pytest.CaptureFixture[str], typed: str, some: list[str]
) -> None:
    found = offered(capsys, typed)
    assert set(some) <= set(found)
    if not typed.startswith(("invoke", "./")):
        begun = typed.rsplit(" ", maxsplit=1)[-1]
        assert all(one.startswith(begun) for one in found)


@pytest.mark.parametrize(
    "typed",
    [
        "build --only kernel,kernel",
        "build -p nothing --flavour ",
        "build --jobs ",
        "judge --outside ",
        "lab --judge x",
        "nothing --nothing x",
    ],
)
def test_where_nothing_is_known_nothing_is_said(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, typed: str
) -> None:
    assert offered(capsys, typed) == []
    assert not (tmp_path / "cache").exists()


def test_every_option_that_takes_a_value_has_values_or_takes_any() -> None:
    """A new option is given its values here, or is named among those that take anything."""
    free = {"jobs", "host", "judge", "outside", "inside", "vip", "local", "server"}
    free |= {
        "local-ports",
        "part",
        "config",
        "output",
        "folder",
        "list-depth",
        "list-format",
        "help",
        "workers",
        "listen",
        "allow",
    }
    program = commandline.Program(tasks)
    program.load_collection()
    arguments = list(program.core_args())
    for name in program.collection.task_names:
        arguments += program.collection[name].get_arguments()
    valued = {str(one.names[0]) for one in arguments if one.takes_value}
    assert valued - free - completion.VALUES.keys() - {"complete", "list"} == set()


@pytest.mark.parametrize("shell", completion.SHELLS)
def test_the_script_of_each_shell_is_printed(
    capsys: pytest.CaptureFixture[str], shell: str
) -> None:
    assert commandline.run(tasks, [f"--print-completion-script={shell}"]) == 0
    told = capsys.readouterr().out
    assert "--complete" in told
    assert all(name in told for name in completion.PROGRAMS)


def test_another_shell_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert commandline.run(tasks, ["--print-completion-script=tcsh"]) == 2
    assert "shells: bash, zsh, fish" in capsys.readouterr().err
