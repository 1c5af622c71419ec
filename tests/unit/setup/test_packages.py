"""Host packages are installed only if somebody agrees; with stand-ins for apt, dpkg and sudo."""

from __future__ import annotations

import io
import os
import pty
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from builder.errors import EnvironmentFailure
from builder.host import ci, tools
from builder.host.tools import Need, Tool
from builder.setup import packages
from tests.support.setup.checkout import program

LACKING = (
    Tool("frob", "frobnicator", "to frobnicate", Need.BUILD),
    Tool("frobcheck", "frobnicator", "to check it", Need.BUILD),
    Tool("xz", "xz-utils", "to unpack", Need.BUILD),
)
NOTE = 'echo "$(basename "$0") $*" >>"$(dirname "$0")/ran"'


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of programs, the only ones; dpkg and apt have nothing under way."""
    home = tmp_path / "bin"
    home.mkdir()
    for name in ("basename", "dirname", "env", "sh"):
        found = shutil.which(name)
        assert found
        (home / name).symlink_to(found)
    for name in ("apt-get", "dpkg"):
        program(home, name, NOTE)
    program(home, "sudo", f'{NOTE}; exec "$@"')
    monkeypatch.setenv("PATH", str(home))
    monkeypatch.setattr(tools, "SYSTEM_PATH", str(home))
    monkeypatch.setattr(packages, "APT_LISTS_LOCK", tmp_path / "lists-lock")
    monkeypatch.setattr(packages, "UNFINISHED", tmp_path / "updates")
    with (tmp_path / "empty").open("w+") as nothing:
        monkeypatch.setattr("sys.stdin", nothing)
        yield home


def ran(host: Path) -> list[str]:
    path = host / "ran"
    return path.read_text().splitlines() if path.exists() else []


INSTALLED = [
    "apt-get -q update",
    "apt-get -q install --yes --no-install-recommends -o DPkg::Lock::Timeout=600 "
    "frobnicator xz-utils",
]


def test_what_would_be_installed_is_told_with_its_purposes(
    host: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(EnvironmentFailure, match="was not confirmed") as caught:
        packages.install(LACKING, yes=False)
    assert caught.value.what == "host packages are missing: frobnicator xz-utils"
    assert caught.value.hint.startswith("apt-get install frobnicator xz-utils; or run it again")
    assert ran(host) == []
    assert capfd.readouterr().err == (
        "missing Debian packages:\n"
        "  frobnicator  to frobnicate; to check it\n"
        "  xz-utils     to unpack\n"
    )


@pytest.mark.parametrize(("answer", "wanted"), [("y\n", INSTALLED), ("\n", []), ("\x04", [])])
def test_at_a_terminal_it_asks(
    host: Path, monkeypatch: pytest.MonkeyPatch, answer: str, wanted: list[str]
) -> None:
    ours, theirs = pty.openpty()
    os.write(ours, answer.encode())
    with os.fdopen(theirs) as keyboard:
        monkeypatch.setattr("sys.stdin", keyboard)
        if wanted:
            packages.install(LACKING, yes=False)
        else:
            with pytest.raises(EnvironmentFailure, match="was not confirmed"):
                packages.install(LACKING, yes=False)
    os.close(ours)
    assert [line for line in ran(host) if not line.startswith("sudo")] == wanted


def test_ci_agrees_for_root_alone(host: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ci.VARIABLE, "true")
    monkeypatch.setattr(os, "getuid", lambda: 1000)
    with pytest.raises(EnvironmentFailure, match="was not confirmed"):
        packages.install(LACKING, yes=False)
    monkeypatch.setattr(os, "getuid", lambda: 0)
    packages.install(LACKING, yes=False)
    assert ran(host) == INSTALLED


def test_an_ordinary_user_installs_with_sudo_or_is_told_to_be_root(
    host: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 1000)
    packages.install(LACKING, yes=True)
    assert ran(host)[0] == "sudo env DEBIAN_FRONTEND=noninteractive apt-get -q update"
    (host / "sudo").unlink()
    with pytest.raises(EnvironmentFailure, match="this is user 1000, and there is no sudo") as told:
        packages.install(LACKING, yes=True)
    assert told.value.hint == "as root: apt-get install frobnicator xz-utils"


def test_a_host_without_apt_is_told_the_programs(host: Path) -> None:
    (host / "apt-get").unlink()
    with pytest.raises(EnvironmentFailure, match="this host has no apt-get") as caught:
        packages.install(LACKING, yes=True)
    assert caught.value.hint == "install their equivalents by hand: frob, frobcheck, xz"


def test_an_apt_that_fails_is_told_as_it_was_run(
    host: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    program(host, "apt-get", "echo 'E: no network'; exit 100")
    monkeypatch.setattr(os, "getuid", lambda: 0)
    with pytest.raises(EnvironmentFailure, match="exit status 100") as caught:
        packages.install(LACKING, yes=True)
    assert caught.value.hint == "env DEBIAN_FRONTEND=noninteractive apt-get -q update"
    told = capfd.readouterr()
    assert "E: no network" in told.err, "standard output stays free for results"
    assert told.out == ""


def test_what_dpkg_was_interrupted_in_is_finished_first(host: Path, tmp_path: Path) -> None:
    (tmp_path / "updates").mkdir()
    (tmp_path / "updates" / "0001").touch()
    packages.install(LACKING, yes=True)
    assert [line for line in ran(host) if not line.startswith("sudo")] == [
        "dpkg --configure -a",
        *INSTALLED,
    ]


HOLDER = """
import fcntl, sys
with open(sys.argv[1], "r+") as lock:
    fcntl.lockf(lock, fcntl.LOCK_EX)
    print("held", flush=True)
    sys.stdin.read()
"""


class Ending(io.StringIO):
    """Messages; the other process ends as soon as somebody says that it waits."""

    def __init__(self, other: subprocess.Popen[str]) -> None:
        super().__init__()
        self._other = other

    def write(self, text: str) -> int:
        if "waiting for another apt-get" in text:
            self._other.kill()
        return super().write(text)

    def fileno(self) -> int:
        return 2


def test_another_apt_is_waited_for(
    host: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its lock is of POSIX, so only another process can have it."""
    packages.APT_LISTS_LOCK.touch()
    argv = [sys.executable, "-ISc", HOLDER, str(packages.APT_LISTS_LOCK)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"

        monkeypatch.setattr("sys.stderr", Ending(other))
        packages.install(LACKING, yes=True)
        assert other.wait() == -9
    assert "apt-get -q update" in ran(host)


def test_an_engine_may_be_named_or_have_a_socket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in packages.ENGINE_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(packages, "ENGINE_SOCKETS", ())
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    assert not packages.engine_is_named_or_present()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (tmp_path / "docker.sock").touch()
    assert not packages.engine_is_named_or_present(), "a file is no socket"
    monkeypatch.setenv("DOCKER_CONTEXT", "mine")
    assert packages.engine_is_named_or_present()


def test_a_daemon_that_comes_along_is_told_of() -> None:
    docker = (Tool("dockerd", "docker.io", "to run containers", Need.ENGINE),)
    told = "\n".join(packages.describe(docker))
    wanted = "neither started nor enabled" if os.getuid() == 0 else "whoever is in that group"
    assert wanted in told
