"""A folder's listing names every entry, and has one digest whatever the folder's history."""

from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path

import pytest

from builder.errors import Interrupted
from builder.host import listing
from builder.host.listing import Listing


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    (root / "deep" / "er").mkdir(parents=True)
    (root / "empty").mkdir()
    (root / "file").write_bytes(b"x" * (3 << 20))
    (root / "deep" / "er" / "run").write_text("#!/bin/sh\n")
    (root / "deep" / "er" / "run").chmod(0o755)
    (root / "deep" / "link").symlink_to("er/run")
    (root / "deep" / "nothing").write_bytes(b"")
    (root / "deep" / os.fsdecode(b"\xff name\n")).write_text("odd")
    return root


def test_a_listing_goes_into_a_file_and_back(tree: Path) -> None:
    made = listing.read(tree)
    assert len(made.entries) == 8
    again = Listing.decode(made.encoded)
    assert again.entries == made.entries
    assert again.digest == made.digest


@pytest.mark.parametrize("data", [b"d\0", b"d name", b"d name\0rest"])
def test_what_is_no_listing_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="listing"):
        Listing.decode(data)


def test_times_owners_and_other_permissions_do_not_count(tree: Path, tmp_path: Path) -> None:
    before = listing.read(tree).digest
    shutil.copytree(tree, tmp_path / "copy", symlinks=True)
    (tmp_path / "copy" / "file").chmod(0o664)
    os.utime(tmp_path / "copy" / "file", (1, 1))
    assert listing.read(tmp_path / "copy").digest == before


def test_every_change_is_told_by_name(tree: Path) -> None:
    before = listing.read(tree)
    assert before.difference(before) == ""
    (tree / "file").write_bytes(b"y" * (3 << 20))
    (tree / "empty").rmdir()
    (tree / "deep" / "er" / "run").chmod(0o644)
    now = listing.read(tree)
    assert before.difference(now) == (
        "deep/er/run is of another kind or mode, empty is missing, file has changed"
    )
    (tree / "deep" / "new").write_text("")
    (tree / "deep" / "link").unlink()
    (tree / "deep" / "link").symlink_to("er/other")
    assert before.difference(listing.read(tree)).endswith(", and 2 more")


def test_what_has_changed_can_be_read_alone(tree: Path) -> None:
    before = listing.read(tree)
    (tree / "deep" / "er" / "run").write_text("other")
    (tree / "brand" / "new").mkdir(parents=True)
    (tree / "brand" / "new" / "file").write_text("new")
    (tree / "empty").rmdir()
    names = ["deep/er/run", "brand/new/file", "empty", "never/there"]
    assert before.renewed(tree, names).entries == listing.read(tree).entries


def test_some_names_can_be_looked_at_alone(tree: Path) -> None:
    before = listing.read(tree)
    (tree / "file").write_text("changed")
    (tree / "deep" / "new").write_text("")
    assert before.fault(tree, ["deep/er/run", "deep/link", "never/there"]) == ""
    assert before.fault(tree, ["file"]) == "file has changed"
    assert before.fault(tree, ["deep/new"]) == "deep/new was added"
    shutil.rmtree(tree / "deep" / "er")
    assert before.fault(tree, ["deep/er/run"]) == "deep/er is missing, deep/er/run is missing"


def test_a_listing_can_be_moved_below_a_folder(tree: Path) -> None:
    tree.parent.chmod(0o755)
    tree.chmod(0o700)
    whole = listing.read(tree.parent)
    assert listing.read(tree).below("tree").digest == whole.digest


def test_a_pipe_is_listed_and_not_waited_for(tree: Path) -> None:
    before = listing.read(tree)
    os.mkfifo(tree / "pipe")
    assert before.difference(listing.read(tree)) == "pipe was added"


def test_a_file_of_two_names_is_read_once(tree: Path) -> None:
    (tree / "deep" / "same").hardlink_to(tree / "file")
    memory: listing.Memory = {}
    assert listing.read(tree, memory=memory).entries == listing.read(tree).entries
    assert len(memory) == 1
    key = next(iter(memory))
    memory[key] = b"f" + b"0" * 64
    assert listing.read(tree, memory=memory).entries[b"file"] == memory[key]


def test_reading_ends_when_the_run_is_stopped(tree: Path) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(Interrupted):
        listing.read(tree, stop=stop)


@pytest.mark.parametrize(
    ("name", "mode", "words"),
    [
        ("", 0o700, "."),
        ("", 0o754, "."),
        ("deep/er", 0o701, "deep/er"),
        ("file", 0o640, "file"),
        ("deep/er/run", 0o700, "deep/er/run"),
    ],
)
def test_what_not_everybody_can_read_is_told(tree: Path, name: str, mode: int, words: str) -> None:
    before = listing.read(tree)
    files = list(before.files())
    (tree / name).chmod(mode)
    now = listing.read(tree)
    assert before.difference(now) == f"{words} cannot be read by everybody"
    assert list(now.files()) == files
    assert Listing.decode(now.encoded).entries == now.entries
    if name:
        assert before.fault(tree, [name]) == f"{words} cannot be read by everybody"
