"""Removal takes away what the builder made, and stops at everything else."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from builder.errors import EnvironmentFailure
from builder.host import mounts, removal
from builder.host.removal import remove

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")


def make_tree(root: Path) -> Path:
    tree = root / "tree"
    (tree / "locked" / "deep").mkdir(parents=True)
    (tree / "locked" / "deep" / "file").write_text("x")
    (tree / "link").symlink_to("/etc")
    (tree / "locked").chmod(0o500)
    return tree


def test_read_only_trees_and_links_are_removed_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "other").write_text("kept")
    tree = make_tree(tmp_path)
    remove(tree, tmp_path)
    remove(tree, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["other"]
    assert Path("/etc/passwd").is_file()


def test_a_link_is_removed_itself(tmp_path: Path) -> None:
    (tmp_path / "victim").mkdir()
    (tmp_path / "victim" / "file").write_text("kept")
    (tmp_path / "link").symlink_to(tmp_path / "victim")
    remove(tmp_path / "link", tmp_path)
    assert (tmp_path / "victim" / "file").read_text() == "kept"
    assert not (tmp_path / "link").is_symlink()


@pytest.mark.parametrize("name", ["x" * 255, "\u4e2d" * 85, "\U0001f600" * 63, "\udcff" * 255])
def test_a_name_may_be_as_long_as_the_system_allows(tmp_path: Path, name: str) -> None:
    (tmp_path / name / "inner").mkdir(parents=True)
    remove(tmp_path / name, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["", ".", "..", "../victim", "inner/../../victim", "out/data"])
def test_what_is_not_strictly_below_is_refused(tmp_path: Path, name: str) -> None:
    root = tmp_path / "root"
    (root / "inner").mkdir(parents=True)
    (tmp_path / "victim" / "data").mkdir(parents=True)
    (root / "out").symlink_to(tmp_path / "victim")
    with pytest.raises(EnvironmentFailure, match="does not remove"):
        remove(root / name, root)
    assert (tmp_path / "victim" / "data").is_dir()
    assert (root / "inner").is_dir()


def test_a_tree_deeper_than_paths_or_open_files_may_be_is_removed(tmp_path: Path) -> None:
    top = os.open(tmp_path, os.O_RDONLY)
    os.mkdir("deep", dir_fd=top)
    inner = os.open("deep", os.O_RDONLY, dir_fd=top)
    for _ in range(3000):
        os.mkdir("deeper", 0o700, dir_fd=inner)
        below = os.open("deeper", os.O_RDONLY, dir_fd=inner)
        os.close(inner)
        inner = below
    os.close(inner)
    os.close(top)
    remove(tmp_path / "deep", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_killed_removal_is_finished_by_a_sweep(tmp_path: Path) -> None:
    for name in (".stage.removed-123-0", ".other.removed-99"):
        (tmp_path / name / "inner").mkdir(parents=True)
    (tmp_path / "kept").mkdir()
    removal.sweep(tmp_path, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_two_removals_of_one_tree_do_not_hurt_each_other(tmp_path: Path) -> None:
    for number in range(400):
        (tmp_path / ".tree.removed-1" / str(number)).mkdir(parents=True)
        (tmp_path / ".tree.removed-1" / str(number) / "file").write_text("x")
    program = (
        "import sys; from pathlib import Path; from builder.host.removal import remove; "
        "remove(Path(sys.argv[1]) / '.tree.removed-1', Path(sys.argv[1]))"
    )
    both = [
        subprocess.Popen([sys.executable, "-c", program, tmp_path], stderr=subprocess.PIPE)
        for _ in range(2)
    ]
    complaints = [one.communicate()[1] for one in both]
    assert [one.returncode for one in both] == [0, 0], complaints
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def foreign(tmp_path: Path) -> Iterator[Path]:
    """A file system of somebody else's, mounted inside a tree of ours and elsewhere."""
    origin, inside = tmp_path / "foreign", tmp_path / "ours" / "run" / "mnt here"
    origin.mkdir()
    inside.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "none", origin], check=True)
    subprocess.run(["mount", "--bind", origin, inside], check=True)
    (origin / "file").write_text("kept")
    yield origin
    subprocess.run(["umount", inside], check=False, stderr=subprocess.DEVNULL)
    subprocess.run(["umount", origin], check=True)


@needs_root
def test_what_is_mounted_inside_is_detached_and_not_deleted(foreign: Path) -> None:
    ours = foreign.parent / "ours"
    remove(ours, foreign.parent)
    assert not ours.exists()
    assert (foreign / "file").read_text() == "kept"
    assert str(ours) not in Path("/proc/self/mountinfo").read_text()


@needs_root
def test_a_mount_that_comes_in_between_stops_the_removal(
    foreign: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As if it had been mounted just after the look at the table of mounts.
    monkeypatch.setattr(mounts, "detach_below", lambda folders: [])
    with pytest.raises(EnvironmentFailure, match="something else is mounted"):
        remove(foreign.parent / "ours", foreign.parent)
    assert (foreign / "file").read_text() == "kept"
    inside = next(foreign.parent.glob(".ours.removed-*/run/mnt here"))
    subprocess.run(["umount", inside], check=True)


@needs_root
def test_a_bind_mount_of_the_same_file_system_is_not_entered(tmp_path: Path) -> None:
    victim, inside = tmp_path / "victim", tmp_path / "ours" / "mnt"
    victim.mkdir()
    inside.mkdir(parents=True)
    (victim / "file").write_text("kept")
    subprocess.run(["mount", "--bind", victim, inside], check=True)
    try:
        remove(tmp_path / "ours", tmp_path)
        assert (victim / "file").read_text() == "kept"
    finally:
        subprocess.run(["umount", inside], check=False, stderr=subprocess.DEVNULL)
