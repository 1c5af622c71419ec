"""A copy is a file of its own, for everybody to read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from builder.host.copying import copy_file

DATA = os.urandom(3 << 20)


@pytest.mark.parametrize(("mode", "wanted"), [(0o600, 0o644), (0o444, 0o644), (0o700, 0o755)])
@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_a_copy_can_be_read_by_all(tmp_path: Path, mode: int, wanted: int, umask: int) -> None:
    origin, copy = tmp_path / "origin", tmp_path / "copy"
    origin.write_bytes(DATA)
    origin.chmod(mode)
    before = os.umask(umask)
    try:
        copy_file(origin, copy)
    finally:
        os.umask(before)
    assert copy.read_bytes() == DATA
    assert copy.stat().st_mode & 0o7777 == wanted
    copy.write_bytes(b"edited")
    assert origin.read_bytes() == DATA


def test_a_copy_to_another_file_system_is_one(tmp_path: Path) -> None:
    origin, copy = tmp_path / "origin", Path(f"/dev/shm/copy-of-{os.getpid()}")
    origin.write_bytes(DATA)
    if copy.parent.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("this host has one file system")
    try:
        copy_file(origin, copy)
        assert copy.read_bytes() == DATA
    finally:
        copy.unlink()


def test_a_file_of_the_kernel_s_own_is_copied_whole(tmp_path: Path) -> None:
    copy_file(Path("/proc/self/mountinfo"), tmp_path / "copy")
    assert (tmp_path / "copy").stat().st_size > 0


def test_another_name_of_what_was_there_keeps_it(tmp_path: Path) -> None:
    for name in ("origin", "copy"):
        (tmp_path / name).write_text(name)
    (tmp_path / "other").hardlink_to(tmp_path / "copy")
    copy_file(tmp_path / "origin", tmp_path / "copy")
    assert (tmp_path / "copy").read_text() == "origin"
    assert (tmp_path / "other").read_text() == "copy"
