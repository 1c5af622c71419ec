"""What the operating system refuses is not a bug of ours: path, owner, and status 7."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

import tasks
from builder import commandline
from builder.commands import outcome
from builder.console import Console
from builder.errors import EnvironmentFailure
from builder.host import fulldisk, ownership, refusal
from builder.host.paths import Cache
from tests.nobody import require_readable_checkout
from tests.world import ROOT

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="it becomes another user itself")
NOBODY = 65534
BUILD = "build --profile lts"


def build(
    cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: str = BUILD,
) -> list[str]:
    """The lines of a command with that cache, which must end with status 7."""
    monkeypatch.setenv("LVS_BUILDER_CACHE", str(cache))
    assert commandline.run(tasks, command.split()) == 7
    said = capsys.readouterr()
    assert "Traceback" not in said.err
    assert outcome.BUG not in said.err
    return said.err.splitlines()


def make_file(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("/proc/cache", "No such file or directory"),
        ("/dev/null", "Not a directory"),
        ("file", "Not a directory"),
        ("file/below", "Not a directory"),
        ("x" * 300, "File name too long"),
        ("/".join("x" * 200 for _ in range(25)), "File name too long"),
    ],
)
def test_a_cache_that_cannot_be_made_is_told_with_its_owner(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    reason: str,
) -> None:
    make_file(tmp_path / "file")
    failed, cause, owner, hint = build(tmp_path / name, monkeypatch, capsys)
    assert failed.startswith("failed: the cache ")
    assert cause.endswith(f": {reason}")
    assert " belongs to " in owner
    assert f"this process runs as {refusal._user(os.geteuid())}" in owner
    assert "LVS_BUILDER_CACHE" in hint
    assert all(len(line) < 500 for line in (failed, cause, owner, hint))


@pytest.mark.parametrize("place", ["locks/runs", "scratch/lts", "logs/lts"])
def test_a_file_where_a_folder_of_the_cache_should_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], place: str
) -> None:
    cache = Cache(tmp_path / "cache")
    with ownership.use(cache, Console()):
        make_file(cache.root / place)
    capsys.readouterr()
    # Needs no base, which not every host can make.
    lines = build(cache.root, monkeypatch, capsys, "fetch --profile lts")
    assert any(place in line for line in lines)
    assert lines[-1].startswith("next:  ")


@needs_root
def test_another_user_s_cache_is_told_with_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cache = Cache(tmp_path / "cache")
    with ownership.use(cache, Console()):
        pass
    capsys.readouterr()
    os.chown(cache.root, NOBODY, NOBODY)
    failed, cause, _ = build(cache.root, monkeypatch, capsys)
    assert failed == f"failed: the cache {cache.root} belongs to another user"
    assert cause == f"cause: it is owned by user {NOBODY}, and you are user 0"


# All that an ordinary user may be unable to read is loaded before it becomes one.
ORDINARY = """
import os, sys
import tasks
from builder import commandline
from builder.commands import explain, outcome, produce
from builder.stages import session
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
commandline.main(tasks, sys.argv[1:])
"""


# Another user could not write down what is covered, and would say so.
UNCOVERED = {name: text for name, text in os.environ.items() if not name.startswith("COVERAGE_")}


@needs_root
@pytest.mark.parametrize("words", ["build --profile lts", "explain smoke --profile lts"])
def test_a_cache_that_only_root_can_reach(tmp_path: Path, words: str) -> None:
    require_readable_checkout()
    (tmp_path / "roots").mkdir(mode=0o700)
    tmp_path.chmod(0o755)
    ended = subprocess.run(
        [sys.executable, "-c", ORDINARY, *words.split()],
        cwd=ROOT,
        env={**UNCOVERED, "LVS_BUILDER_CACHE": str(tmp_path / "roots" / "cache")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 7, ended.stderr
    failed, cause, owner, hint = ended.stderr.splitlines()
    assert failed.startswith("failed: the cache ")
    assert cause.endswith("Permission denied")
    assert owner.endswith("this process runs as nobody (65534)")
    assert "LVS_BUILDER_CACHE" in hint


@pytest.mark.parametrize("most", [5, 6, 7])
def test_too_few_open_files_are_told(tmp_path: Path, most: int) -> None:
    script = f'ulimit -n {most} && exec "$0" -m invoke build --profile lts --only lvs-director'
    said = tmp_path / "said"
    with said.open("wb") as stream:  # no pipe: the shell itself needs files for one
        ended = subprocess.run(
            ["bash", "-c", script, sys.executable],
            cwd=ROOT,
            env={**os.environ, "LVS_BUILDER_CACHE": str(tmp_path / "cache")},
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            timeout=60,
            check=False,
        )
    words = said.read_text()
    assert ended.returncode == 7, words
    assert "Too many open files" in words
    assert "Traceback" not in words


def test_a_stage_s_refusal_becomes_a_failure_with_path_and_owner(tmp_path: Path) -> None:
    make_file(tmp_path / "file")
    with pytest.raises(OSError) as caught:
        (tmp_path / "file" / "x").mkdir()
    told = fulldisk.told(caught.value, [tmp_path])
    assert isinstance(told, EnvironmentFailure)
    assert told.what == f"cannot use {tmp_path}/file/x"
    assert f"{tmp_path}/file (not a folder, mode " in told.cause
    assert f"ls -lad {tmp_path}/file/x" in told.hint


def test_the_path_that_was_to_be_written_is_the_one_that_is_told(tmp_path: Path) -> None:
    error = OSError(errno.EXDEV, "Invalid cross-device link", "/a", None, str(tmp_path / "b"))
    assert f"{tmp_path}/b" in refusal.told(error).what


def test_a_path_with_control_characters_is_quoted(tmp_path: Path) -> None:
    error = OSError(errno.EACCES, "Permission denied", f"{tmp_path}/a\x1b[31m\nb")
    told = refusal.told(error)
    assert all(line.isprintable() for line in (told.what, *told.cause.splitlines(), told.hint))


def test_a_bug_keeps_its_traceback(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    try:
        raise LookupError("nothing of the host's")
    except LookupError as error:
        assert outcome.of(error, Cache(tmp_path)) == (outcome.BUG, 1)
    assert "LookupError: nothing of the host's" in capsys.readouterr().err
