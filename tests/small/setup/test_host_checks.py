"""What this host lacks is told before anything slow is begun, with the exact fix."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from builder.host import tools
from tests import world

NOBODY = 65534
SECONDS = 60
BUILD = ("build", "--profile", "small", "--only", "tool")
as_another = pytest.mark.skipif(os.getuid() != 0, reason="runs the builder as another user")


@pytest.fixture
def nobodys() -> Iterator[world.World]:
    """A small project and a cache that belong to user nobody."""
    # Not below pytest's folder, which others may not enter.
    with tempfile.TemporaryDirectory(prefix="nobodys-") as name:
        root = Path(name)
        made = world.make(root / "project", root / "cache")
        (root / "cache").mkdir()
        for path in (root, *root.rglob("*")):
            os.chown(path, NOBODY, NOBODY)
        for variable in ("DOCKER_HOST", "DOCKER_CONTEXT", "XDG_RUNTIME_DIR"):
            made.env[variable] = ""
        made.env["HOME"] = str(root)
        yield made


def as_nobody(small: world.World, *words: str) -> tuple[int, str]:
    """Exit status and messages of a command that nobody runs."""
    ended = subprocess.run(
        [
            *("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"),
            *small.command(*words),
        ],
        cwd=small.project,
        env=small.environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    return ended.returncode, ended.stderr


def readable() -> bool:
    """Whether nobody can run this test's own Python."""
    probe = [
        "setpriv",
        f"--reuid={NOBODY}",
        "--clear-groups",
        sys.executable,
        "-c",
        "import invoke",
    ]
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0


@as_another
def test_a_user_without_an_engine_is_told_first(nobodys: world.World) -> None:
    if not readable():
        pytest.skip("user nobody may not read this Python")
    status, said = as_nobody(nobodys, *BUILD)
    assert status == 7, said
    assert "started" not in said
    assert "failed: " in said
    if tools.find("newuidmap") is None:
        assert "apt-get install uidmap" in said
    else:
        assert "--add-subuids" in said or "no container engine answers" in said


def test_an_engine_that_cannot_be_had_is_told_first(tmp_path: Path) -> None:
    """By root too: before the base is bootstrapped, which takes minutes."""
    small = world.make(tmp_path / "project", tmp_path / "cache")
    small.env["DOCKER_HOST"] = f"unix://{tmp_path}/none.sock"
    ended = small.run(*BUILD, timeout=SECONDS)
    assert ended.status == 7, ended.errors
    assert "started" not in ended.errors
    assert "DOCKER_HOST" in ended.errors


def test_what_needs_no_engine_runs_without_one(tmp_path: Path) -> None:
    small = world.make(tmp_path / "project", tmp_path / "cache")
    small.env["DOCKER_HOST"] = f"unix://{tmp_path}/none.sock"
    assert small.run("fetch", "--profile", "small", timeout=SECONDS).status == 0
    assert small.run("patch", "--profile", "small", timeout=SECONDS).status == 0
