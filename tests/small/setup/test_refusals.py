"""What bootstrap refuses, and how: up front, in three lines, with status 7."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from builder.setup import packages
from tests.support.clock import busy
from tests.support.setup import checkout
from tests.support.setup.checkout import Checkout, program

ROOT = Path(__file__).parents[3]
# What the shell part of bootstrap itself runs.
PLAIN = ("sh", "readlink", "id", "cat", "env", "uname")


@pytest.fixture
def fresh(tmp_path: Path) -> Checkout:
    return checkout.copy_setup(tmp_path / "checkout")


def plain_path(folder: Path) -> str:
    """A PATH with nothing but the plainest programs."""
    folder.mkdir()
    for name in PLAIN:
        (folder / name).symlink_to(shutil.which(name) or name)
    return str(folder)


def with_frobnicate(fresh: Checkout) -> None:
    """Let the checkout's table ask for a program that no host has."""
    table = fresh.root / "builder/host/tools.toml"
    row = '[frobnicate]\npackage = "frob"\npurpose = "to frobnicate"\nneed = "build"\n'
    table.write_text(f"{table.read_text()}\n{row}")


def old_python(folder: Path, version: str) -> None:
    """A python3 that tells this version and is not new enough."""
    program(folder, "python3", f"[ $1 = -c ] || exit 1; echo {version}")


@pytest.mark.parametrize("version", ["2.7", "3.9", "3.10"])
def test_an_old_python_is_refused_by_name(fresh: Checkout, tmp_path: Path, version: str) -> None:
    path = plain_path(tmp_path / "bin")
    old_python(tmp_path / "bin", version)
    ended = fresh.run("--list", PATH=path)
    told = f"Python 3.11 or newer is needed, this is {version}"
    ended.require_refusal(told, "install Python 3.11 or newer with its venv module")
    assert ended.stderr.count("\n") == 3
    for manager, way in (("dnf", "dnf install python3.12"), ("apt-get", "apt-get install python3")):
        program(tmp_path / "bin", manager, "exit 1")
        fresh.run("--list", PATH=path).require_refusal(told, way)


def test_a_newer_python_beside_an_old_one_is_taken(fresh: Checkout, tmp_path: Path) -> None:
    """As on EL9, whose python3 is 3.9."""
    path = plain_path(tmp_path / "bin")
    old_python(tmp_path / "bin", "3.9")
    for name in ("python3.11", "python3.13"):
        told = f"case $1 in -c) echo {name[6:]} ;; *) echo {name}: $* ;; esac"
        program(tmp_path / "bin", name, told)
    ended = fresh.run("--list", PATH=path)
    assert ended.stdout == "python3.13: -X utf8 -E -s -m builder.setup --list\n"


def test_another_system_than_linux_is_refused_by_name(fresh: Checkout, tmp_path: Path) -> None:
    program(tmp_path / "bin", "uname", "echo Darwin")
    ended = fresh.run("--list", PATH=f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    ended.require_refusal("this toolkit does not run on Darwin")
    assert "virtual machine" in ended.stderr
    assert ended.stderr.count("\n") == 3


@pytest.mark.parametrize("version", ["3.11", "3.14", "4.0"])
def test_a_newer_python_is_taken(fresh: Checkout, tmp_path: Path, version: str) -> None:
    """The stand-in then is asked to go on, and says how."""
    script = f'case $1 in -c) echo {version} ;; *) echo "goes on: $*" ;; esac'
    program(tmp_path / "bin", "python3", script)
    ended = fresh.run("--list", PATH=f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    assert ended.stdout == "goes on: -X utf8 -E -s -m builder.setup --list\n"


@pytest.mark.parametrize(
    "script",
    [
        "echo broken >&2; exit 3",
        "exit 3",
        "echo none",
        "true",
        "echo 3.",
        "echo .11",
        "echo 3.11.2",
    ],
)
def test_a_python_that_does_not_work_is_told(fresh: Checkout, tmp_path: Path, script: str) -> None:
    path = plain_path(tmp_path / "bin")
    program(tmp_path / "bin", "python3", script)
    ended = fresh.run(PATH=path)
    ended.require_refusal("python3")
    assert ended.stderr.count("\n") == 3


def test_a_missing_python_is_installed_only_when_agreed(fresh: Checkout, tmp_path: Path) -> None:
    path = plain_path(tmp_path / "bin")
    fresh.run(PATH=path).require_refusal("this host has no apt-get")
    log = tmp_path / "apt.log"
    old = "#!/bin/sh\\n[ \\$1 = -c ] || exit 1; echo 3.9\\n"
    brings = f'printf "{old}" >{path}/python3; /bin/chmod +x {path}/python3'
    program(
        tmp_path / "bin", "apt-get", f'echo "$*" >>{log}; case $* in *install*) {brings};; esac'
    )
    fresh.run(PATH=path).require_refusal("not confirmed", "apt-get install python3 python3-venv")
    assert not log.exists()
    if os.getuid() == 0:
        fresh.run("--yes", PATH=path).require_refusal("this is 3.9")
        assert "install --yes --no-install-recommends python3 python3-venv" in log.read_text()


@pytest.mark.parametrize(
    "name",
    ["a:b", "a\nb", "end\n", "a\tb", "$(touch $PWNED)", "`touch $PWNED`", 'a"b', "a\\b", "a\x7fb"],
)
def test_a_path_that_cannot_work_is_refused(tmp_path: Path, name: str) -> None:
    made = checkout.copy_setup(tmp_path / "plain")
    there = Checkout(made.root.rename(tmp_path / name))
    ended = there.run("--list", PWNED=str(tmp_path / "pwned"))
    ended.require_refusal("this checkout cannot be used where it is")
    assert ended.stderr.count("\n") == 3
    assert not (tmp_path / "pwned").exists()
    assert not there.environments()


def test_a_path_that_is_no_text_is_refused(tmp_path: Path) -> None:
    made = checkout.copy_setup(tmp_path / "plain")
    there = os.fsencode(tmp_path) + b"/\xff"
    os.rename(os.fsencode(made.root), there)  # noqa: PTH104 - no text
    ended = checkout.run([os.fsdecode(there + b"/bootstrap"), "--list"], tmp_path)
    ended.require_refusal("not valid UTF-8")


@pytest.mark.parametrize("words", [("--help",), ("-h",), ("--yes", "--help"), ("-y", "-h")])
def test_the_help_needs_nothing(fresh: Checkout, tmp_path: Path, words: tuple[str, ...]) -> None:
    ended = fresh.run(*words, PATH=plain_path(tmp_path / "bin"))
    assert (ended.status, ended.stderr) == (0, "")
    assert "--yes" in ended.stdout
    assert "./bootstrap build --profile lts" in ended.stdout
    assert not fresh.environments()


def test_missing_packages_are_listed_with_their_purpose(fresh: Checkout) -> None:
    with_frobnicate(fresh)
    ended = fresh.run("build")
    ended.require_refusal(
        "host packages are missing: frob", "not confirmed", "apt-get install frob"
    )
    assert "  frob  to frobnicate" in ended.stderr


@pytest.mark.skipif(os.getuid() != 0, reason="makes a mount of its own")
def test_a_host_of_another_family_is_told_what_its_own_package_manager_takes(
    fresh: Checkout, tmp_path: Path
) -> None:
    with_frobnicate(fresh)
    release = tmp_path / "os-release"
    release.write_text('ID="rocky"\nID_LIKE="rhel centos fedora"\nPRETTY_NAME="Rocky Linux 9.4"\n')
    shell = 'mount --bind "$1" /etc/os-release; exec "$2" --yes build'
    argv = ["unshare", "--mount", "sh", "-euc", shell, "sh", str(release), str(fresh.script)]
    ended = checkout.run(argv, tmp_path)
    ended.require_refusal("host programs are missing: frobnicate", "this is Rocky Linux 9.4")
    assert ended.last_lines[2] == "next:  as root: dnf install '/usr/*bin/frobnicate'"


@pytest.mark.skipif(os.getuid() != 0, reason="another user would be asked for sudo's password")
@pytest.mark.parametrize(
    "words", [("--yes", "build"), ("-y", "build"), ("--echo", "--yes", "build"), ("--yes",)]
)
def test_yes_works_anywhere_before_the_task(
    fresh: Checkout, tmp_path: Path, words: tuple[str, ...]
) -> None:
    with_frobnicate(fresh)
    program(tmp_path / "bin", "apt-get", 'echo "apt-get says: $*" >&2; exit 100')
    ended = fresh.run(*words, PATH=f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    ended.require_refusal("the host packages could not be installed", "apt-get -q update")
    assert "apt-get says: -q update" in ended.stderr


def test_yes_after_the_task_is_the_tasks(fresh: Checkout, tmp_path: Path) -> None:
    with_frobnicate(fresh)
    program(tmp_path / "bin", "apt-get", "echo called >&2; exit 100")
    ended = fresh.run("build", "--yes", PATH=f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    ended.require_refusal("not confirmed")


@pytest.mark.skipif(os.getuid() != 0, reason="another user would be asked for sudo's password")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_while_apt_runs_ends_at_once(
    fresh: Checkout, tmp_path: Path, number: signal.Signals
) -> None:
    with_frobnicate(fresh)
    begun = tmp_path / "begun"
    slow = f"sleep 60 & trap 'kill $!; exit 100' INT; touch {begun}; wait"
    program(tmp_path / "bin", "apt-get", slow)
    running = fresh.start("--yes", "build", PATH=f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    deadline = time.monotonic() + 30
    while not begun.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    sent = time.monotonic()
    running.send_signal(number)
    _, said = running.communicate(timeout=20)
    assert time.monotonic() - sent < busy(2)
    assert running.returncode == 130
    assert "interrupted; waiting for apt-get to end" in said
    assert "failed:" not in said
    assert "Traceback" not in said


def asked(script: str, *words: str) -> int:
    return subprocess.run(["sh", "-c", script, "policy-rc.d", *words], check=False).returncode


def test_the_daemons_policy_holds_as_long_as_its_maker_lives() -> None:
    """As invoke-rc.d and deb-systemd-invoke ask it."""
    alive = packages.policy(os.getpid())
    assert asked(alive, "docker", "start") == 101
    assert asked(alive, "--quiet", "containerd.service", "start") == 101
    assert asked(alive, "docker.socket", "start") == 101
    assert asked(alive, "ssh", "restart", "2") == 0
    with subprocess.Popen(["true"]) as gone:
        gone.wait()
    assert asked(packages.policy(gone.pid), "docker", "start") == 0


def test_it_says_that_a_root_daemon_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    from builder.host.tools import table  # noqa: PLC0415

    for user, words in ((0, "neither started nor enabled"), (1000, "at every boot")):
        monkeypatch.setattr(os, "getuid", lambda user=user: user)
        said = " ".join(packages.describe((table()["dockerd"],)))
        assert "runs as root" in said
        assert words in said


def test_setup_needs_only_the_standard_library(tmp_path: Path) -> None:
    """It runs before there is an environment: without site-packages all of it is imported."""
    script = "import builder.setup.__main__, builder.setup.packages, builder.setup.environment"
    argv = [sys.executable, "-S", "-E", "-s", "-c", script]
    assert subprocess.run(argv, cwd=ROOT, check=False).returncode == 0
