"""Bootstrap removes and uses what it made itself, and nothing else."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest

from tests.support.setup import checkout
from tests.support.setup.checkout import Checkout
from tests.support.setup.precious import write

needs_root = pytest.mark.skipif(os.getuid() != 0, reason="makes mounts of its own")
# The preparation ends at the first file of the new environment; the folder has been swept before.
NO_FILES = 'ulimit -f 0; exec "$@"'


@pytest.fixture
def unprepared(tmp_path: Path) -> Checkout:
    return checkout.copy_setup(tmp_path / "checkout")


def test_a_link_to_other_environments_is_refused(unprepared: Checkout, tmp_path: Path) -> None:
    precious = write(tmp_path / "venvs/project/file")
    (unprepared.root / ".venvs").symlink_to(tmp_path / "venvs")
    ended = unprepared.run("--list")
    ended.require_refusal("it is a link to", f"rm {shlex.quote(str(unprepared.root / '.venvs'))}")
    assert ended.stderr.count("\n") == 3
    assert precious.read_text() == "precious"
    assert os.listdir(tmp_path / "venvs") == ["project"]  # noqa: PTH208


def test_only_names_of_its_own_are_removed(unprepared: Checkout, tmp_path: Path) -> None:
    home = unprepared.root / ".venvs"
    kept = [
        write(home / name / "file") for name in ("mine", "runtime-new", "earlier-5", "test-1-2")
    ]
    kept.append(write(tmp_path / "linked/file"))
    (home / "runtime-20260101-000000-1").symlink_to(tmp_path / "linked")
    gone = [
        write(home / name / "lib/file")
        for name in ("runtime-20260101-000000-2", ".test-20260101-000000-3.removed-4-0")
    ]
    checkout.run(
        ["sh", "-uc", NO_FILES, "sh", str(unprepared.script), "--list"], Path("/")
    ).require_refusal("cannot make an environment")
    assert [path.read_text() for path in kept] == ["precious"] * len(kept)
    assert not any(path.parents[1].exists() for path in gone)


@needs_root
@pytest.mark.parametrize("place", ["old", "runtime-20260101-000000-1", "test-20260101-000000-1/in"])
def test_no_mount_is_crossed(unprepared: Checkout, tmp_path: Path, place: str) -> None:
    precious = write(tmp_path / "elsewhere/file")
    point = unprepared.root / ".venvs" / place
    point.mkdir(parents=True)
    script = (
        f'mount --bind "$1" "$2"; ({NO_FILES.replace("$@", "$3")} --list); '
        'status=$?; cat "$2/file"; exit $status'
    )
    words = (precious.parent, point, unprepared.script)
    argv = ["unshare", "--mount", "sh", "-uc", script, "sh", *map(str, words)]
    ended = checkout.run(argv, Path("/"))
    ended.require_refusal("cannot make an environment")
    assert ended.stdout == "precious"
    assert precious.read_text() == "precious"
