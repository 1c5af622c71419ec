"""An environment is what its lock names or is not there; with a stand-in for Python and pip.

The stand-in makes folders and notes what it is told, so that each step can fail.
"""

from __future__ import annotations

import errno
import os
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from builder.errors import EnvironmentFailure
from builder.host import flock
from builder.setup import __main__ as bootstrap
from builder.setup import contents, environment, making, progress
from builder.setup.making import USED

PYTHON = """\
#!/bin/sh
# Plays `python -m venv`, pip and small programs; {home}/{{fail,told,list}} decide how.
while :; do
    case $1 in -I | -S) shift ;; -X) shift 2 ;; *) break ;; esac
done
case "$*" in
"-m venv "*) step=venv ;;
*" config list") step=config ;;
*" install "*) step=install ;;
*" check") step=check ;;
*packages_distributions*) step=import ;;
*distributions*) step=list ;;
*) step=start ;;
esac
echo "$step" >>{home}/steps
[ "$(cat {home}/fail 2>/dev/null)" != "$step" ] || {{ echo "$step: no" ; exit 3; }}
case $step in
venv)
    for folder in "$@"; do :; done
    mkdir -p "$folder/bin" "$folder/{site}" && cp "$0" "$folder/bin/python" ;;
config) cat {home}/told ;;
install)
    cat {home}/said
    env >{home}/environment
    [ -d "$TMPDIR" ] && echo made >"${{0%/bin/python}}/{site}/one.py" ;;
list) cat {home}/list ;;
esac
"""
LOCK = "one==1.0 \\\n    --hash=sha256:00\ntwo_more[extra]==2.0 ; python_version > '3'\n"


@dataclass
class Checkout:
    """A checkout with locks alone, and the stand-in's folder."""

    root: Path
    home: Path

    def set(self, name: str, text: str) -> None:
        (self.home / name).write_text(text)

    @property
    def steps(self) -> list[str]:
        path = self.home / "steps"
        return path.read_text().split() if path.exists() else []

    @property
    def environments(self) -> list[str]:
        home = self.root / environment.HOME
        return sorted(path.name for path in home.iterdir() if path.name != "lock")


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Checkout:
    made = Checkout(tmp_path / "checkout", tmp_path / "python")
    made.home.mkdir()
    (made.root / "requirements").mkdir(parents=True)
    for kind in making.KINDS:
        making.lock_of(made.root, kind).write_text(LOCK)
    made.set("list", "one==1.0\nTwo.More==2.0\npip==23\nsetuptools==65\n")
    made.set("told", "")
    made.set("said", "")
    program = made.home / "python3"
    site = contents.packages(Path())
    program.write_text(PYTHON.format(home=made.home, site=site))
    program.chmod(0o755)
    monkeypatch.setattr(sys, "_base_executable", str(program), raising=False)
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    return made


def test_it_is_made_once_and_found_from_then_on(
    checkout: Checkout, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = environment.ensure(checkout.root, "runtime")
    assert (checkout.root / ".venv").readlink() == Path(".venvs") / folder.name
    assert checkout.steps == ["venv", "config", "install", "list", "check", "import", "start"]
    assert "making .venv: 2 Python packages (runtime)" in capsys.readouterr().err
    assert contents.is_whole(folder)
    assert not (folder / making.TEMPORARY).exists()
    assert environment.ensure(checkout.root, "runtime") == folder
    assert checkout.steps[7:] == ["start"]
    assert capsys.readouterr().err == ""


def test_how_far_pip_is_is_told_and_its_own_words_are_not(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "PAUSE", 0)
    checkout.set("said", "Looking in indexes\nCollecting one==1.0\nhalf a line")
    environment.ensure(checkout.root, "runtime")
    told = capfd.readouterr()
    assert "making .venv: downloading 1 of 2: one (0 s)\n" in told.err
    assert "Looking" not in told.out + told.err


def test_pip_hears_where_packages_come_from_and_nothing_else_of_its_configuration(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout.set(
        "told",
        "global.index-url='https://mirror.invalid/simple'\nglobal.timeout='5'\n"
        "global.target='/somewhere'\ninstall.timeout='7'\n:env:.user='1'\nglobal.cert=no text\n"
        "freeze.timeout='10'\n",
    )
    monkeypatch.setenv("PIP_TARGET", "/elsewhere")
    monkeypatch.setenv("PIP_PROXY", "http://proxy.invalid")
    environment.ensure(checkout.root, "runtime")
    told = dict(
        line.partition("=")[::2] for line in (checkout.home / "environment").read_text().split("\n")
    )
    pip = {name: value for name, value in told.items() if name.startswith("PIP_")}
    assert pip == {
        "PIP_INDEX_URL": "https://mirror.invalid/simple",
        "PIP_TIMEOUT": "7",
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_PROXY": "http://proxy.invalid",
    }
    assert told["TMPDIR"].startswith(str(checkout.root)), "not a small file system in memory"


@pytest.mark.parametrize(
    ("listed", "cause"),
    [
        ("one==1.0\n", "missing: two-more==2.0; not in the lock: none"),
        ("one==1.1\ntwo-more==2.0\nthree==3\n", "missing: one==1.0; not in the lock: one==1.1, th"),
    ],
)
def test_packages_other_than_the_locks_are_refused(
    checkout: Checkout, listed: str, cause: str
) -> None:
    checkout.set("list", listed)
    with pytest.raises(EnvironmentFailure, match="pip did not install what the lock names") as told:
        environment.ensure(checkout.root, "runtime")
    assert told.value.cause.startswith(cause)
    assert checkout.environments == []


@pytest.mark.parametrize(
    ("step", "what"),
    [
        ("venv", "make an environment"),
        ("config", "read pip's configuration"),
        ("install", "install the packages"),
        ("check", "find every needed package in the lock"),
        ("import", "import the packages"),
    ],
)
def test_a_step_that_fails_is_named_and_leaves_nothing(
    checkout: Checkout, capsys: pytest.CaptureFixture[str], step: str, what: str
) -> None:
    checkout.set("fail", step)
    with pytest.raises(EnvironmentFailure, match=f"cannot {what}: exit status 3"):
        environment.ensure(checkout.root, "runtime")
    assert f"{step}: no" in capsys.readouterr().err, "its own words are not lost"
    assert checkout.environments == []
    assert not (checkout.root / ".venv").exists()


@pytest.mark.parametrize("damage", ["file", "list", "python", "lock", "moved"])
def test_one_that_is_not_whole_is_made_anew(
    checkout: Checkout, damage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = environment.ensure(checkout.root, "runtime")
    if damage == "file":
        (contents.packages(folder) / "one.py").write_text("cut")
    elif damage == "list":
        (folder / contents.NAME).write_text("")
    elif damage == "python":
        (folder / "bin/python").chmod(0o644)
    elif damage == "lock":
        making.lock_of(checkout.root, "runtime").write_text(f"{LOCK}# newer\n")
    else:
        folder = folder.rename(folder.with_name("moved"))
        link = checkout.root / ".venv"
        link.unlink()
        link.symlink_to(f".venvs/{folder.name}")
    monkeypatch.setattr(time, "strftime", lambda _: "20300101-000000")  # it is in the name
    assert environment.ensure(checkout.root, "runtime") != folder


def test_what_kills_have_left_is_swept_and_all_else_stays(
    checkout: Checkout, capsys: pytest.CaptureFixture[str]
) -> None:
    home = checkout.root / ".venvs"
    for name in ("runtime-20200101-000000-1", "test-20200101-000000-2", "mine", "runtime-odd"):
        (home / name).mkdir(parents=True)
    for name in ("test-20200101-000000-2", "runtime-20200101-000000-3"):
        (home / name).mkdir(exist_ok=True)
        (home / name / USED).touch()
    (home / "runtime-20200101-000000-4").symlink_to("mine")
    (checkout.root / ".venv").mkdir()
    (checkout.root / ".venv" / "file").write_text("mine")
    with flock.held(home / "test-20200101-000000-2" / USED, shared=True):
        folder = environment.ensure(checkout.root, "test")
    kept = [name for name in checkout.environments if name.startswith("kept-")]
    assert set(checkout.environments) == {
        "mine",
        "runtime-odd",
        "runtime-20200101-000000-4",
        "test-20200101-000000-2",
        folder.name,
        *kept,
    }
    assert (home / kept[0] / "file").read_text() == "mine"
    assert (
        f".venv was none of bootstrap's; it is kept as .venvs/{kept[0]}" in capsys.readouterr().err
    )


def test_a_link_of_somebody_s_is_told_where_it_led(
    checkout: Checkout, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (checkout.root / ".venv").symlink_to(tmp_path / "theirs")
    environment.ensure(checkout.root, "runtime")
    assert f".venv led to {tmp_path / 'theirs'}, which stays as it is" in capsys.readouterr().err


def test_a_link_in_place_of_the_home_is_refused(checkout: Checkout, tmp_path: Path) -> None:
    (checkout.root / ".venvs").symlink_to(tmp_path)
    with pytest.raises(EnvironmentFailure, match="bootstrap does not use") as caught:
        environment.ensure(checkout.root, "runtime")
    assert f"rm {checkout.root / '.venvs'}" in caught.value.hint


def test_who_comes_second_waits(checkout: Checkout, capsys: pytest.CaptureFixture[str]) -> None:
    (checkout.root / ".venvs").mkdir(mode=0o700)
    found: list[Path] = []
    with flock.held(checkout.root / ".venvs" / "lock"):
        second = threading.Thread(
            target=lambda: found.append(environment.ensure(checkout.root, "runtime"))
        )
        second.start()
        while "waiting for another bootstrap" not in capsys.readouterr().err:
            time.sleep(0.01)
        assert checkout.steps == []
    second.join()
    assert contents.is_whole(found[0])
    assert (checkout.root / ".venvs").stat().st_mode & 0o055 == 0o055, "containers read it, too"


@pytest.mark.parametrize(
    ("number", "hint"),
    [(errno.ENOSPC, "free 500 MB"), (errno.EROFS, "cp -r"), (errno.ENOTDIR, "ls -la")],
)
def test_a_refusal_of_the_system_has_a_way_out(number: int, hint: str, tmp_path: Path) -> None:
    told = environment.refused(OSError(number, os.strerror(number), "/x"), tmp_path)
    assert told.cause == f"/x: {os.strerror(number)}"
    assert hint in told.hint


def test_yes_counts_before_the_task_alone() -> None:
    assert bootstrap.split(["--yes", "build", "-y"]) == (True, ["build", "-y"])
    assert bootstrap.split(["clean", "--yes"]) == (False, ["clean", "--yes"])
    assert bootstrap.split(["-y", "--list"]) == (True, ["--list"])
    assert bootstrap.split([]) == (False, [])


def test_a_checkout_at_a_path_that_is_no_text_is_refused_in_three_lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bootstrap, "ROOT", Path(os.fsdecode(b"/tmp/\xff")))
    assert bootstrap.main(["build"]) == 7
    what, cause, hint = capsys.readouterr().err.splitlines()
    assert what == "failed: this checkout cannot be used where it is"
    assert cause == r"cause: its path is not valid UTF-8: b'/tmp/\xff'"
    assert hint == "next:  move it to a path that is, such as ~/director-builder"
