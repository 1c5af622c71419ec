"""The self-tests' own files: what is on the disk that a guest runs them from."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from builder.errors import UsageError
from builder.smoke import payload

RELEASE = "6.1.192-1.lvs.x86_64"
NAMES = sorted(path.parent.name for path in payload.GUESTS.glob("*/payload.toml"))


@pytest.mark.parametrize("name", NAMES)
def test_every_expected_check_is_made_by_the_payload_and_no_other(name: str) -> None:
    test = payload.load(name)
    made: set[str] = set()
    for file in (*test.programs, *test.parts):
        for line in file.read_text().splitlines():
            words = line.split()
            if words[:1] == ["check"] and len(words) > 2:
                made.add(words[1])
    assert made == test.checks, f"the list of checks in {name}/payload.toml is not complete"


@pytest.mark.parametrize("name", NAMES)
def test_the_payload_disk_has_all_parts(tmp_path: Path, name: str) -> None:
    test = payload.load(name)
    disk = payload.make(tmp_path / "selftest.img", RELEASE, test)
    debugfs = shutil.which("debugfs", path="/usr/sbin:/sbin:/usr/bin")
    assert debugfs is not None
    listed = subprocess.run(
        [debugfs, "-R", "ls -p /", disk], check=True, capture_output=True, text=True
    ).stdout
    for file in ("release", *(path.name for path in (*test.programs, *test.parts))):
        assert f"/{file}/" in listed
    assert "/100755/" in next(line for line in listed.splitlines() if "/run/" in line)


def test_a_self_test_that_is_not_there_is_told_with_those_that_are() -> None:
    with pytest.raises(UsageError, match="no self-test 'none'") as caught:
        payload.load("none")
    assert "systemd" in caught.value.hint


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("cpus =", "cpu =", "did you mean 'cpus'?"),
        ('programs = ["run"', 'programs = ["runs"', "programs names 'runs', which does not exist"),
        ("cpus = ", "cpus = [", "line"),
    ],
)
def test_a_mistake_in_the_table_is_told_with_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str, words: str
) -> None:
    shutil.copytree(payload.GUESTS, tmp_path / "guest", symlinks=True)
    monkeypatch.setattr(payload, "GUESTS", tmp_path / "guest")
    path = tmp_path / "guest/systemd/payload.toml"
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))
    with pytest.raises(UsageError, match=r"systemd/payload\.toml:\d+ cannot be used") as caught:
        payload.load("systemd")
    assert words in caught.value.cause


@pytest.mark.parametrize("name", NAMES)
def test_shell_and_perl_are_clean(name: str) -> None:
    for program in payload.load(name).programs:
        perl = program.read_bytes().startswith(b"#!/usr/bin/perl")
        tool, options = ("perl", ["-c"]) if perl else ("shellcheck", ["-x"])
        if shutil.which(tool) is None:
            pytest.skip(f"no {tool} on this host")
        done = subprocess.run(
            [tool, *options, str(program)],
            cwd=Path(__file__).parents[3],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
