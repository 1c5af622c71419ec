"""Equal outputs are equal archives, and an archive is the same output again."""

from __future__ import annotations

import io
import os
import threading
from pathlib import Path

import pytest

from builder.archive.unpack import unpack
from builder.console import Console
from builder.errors import BuildError, Interrupted
from builder.host.listing import read
from builder.remote import pack

LONG = "/".join(["a-folder-with-a-long-name"] * 12)


def fill(root: Path, mtime: int = 1_700_000_000) -> Path:
    """A tree with everything that an output may have."""
    (root / LONG).mkdir(parents=True)
    (root / LONG / "file").write_bytes(b"data" * 5000)
    (root / "program").write_text("#!/bin/sh\n")
    (root / "program").chmod(0o755)
    (root / "empty").touch()
    (root / "nothing").mkdir()
    (root / "link").symlink_to(f"{LONG}/file")
    Path(os.fsdecode(os.fsencode(root) + b"/no-utf8-\xff\xfe")).write_text("x")
    (root / "twin").hardlink_to(root / "program")
    for path in sorted(root.rglob("*"), reverse=True):
        os.utime(path, (mtime, mtime), follow_symlinks=False)
    return root


def packed(root: Path, target: Path) -> bytes:
    pack.pack(root, read(root), target, threading.Event())
    return target.read_bytes()


def test_what_is_unpacked_is_what_was_packed(tmp_path: Path) -> None:
    root = fill(tmp_path / "one")
    packed(root, tmp_path / "archive")
    console = Console(io.StringIO(), interactive=False)
    found = unpack(tmp_path / "archive", tmp_path / "two", console=console, strip=0)
    assert found.listing == read(root) == read(tmp_path / "two")
    assert (tmp_path / "two" / LONG / "file").stat().st_mtime == 1_700_000_000


def test_equal_outputs_are_equal_archives(tmp_path: Path) -> None:
    one, two = fill(tmp_path / "one"), fill(tmp_path / "two")
    (two / "program").chmod(0o700 | 0o055)
    os.utime(two / "program", ns=(0, 1_700_000_000_123_456_789))
    assert packed(one, tmp_path / "first") == packed(two, tmp_path / "second")
    (two / "empty").write_text("y")
    assert packed(one, tmp_path / "first") != packed(two, tmp_path / "second")


def test_what_would_not_be_the_same_again_is_not_packed(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()

    def fault() -> str:
        return pack.fault(root, read(root))

    assert fault() == "it is empty"
    path = root / "file"
    path.write_text("x")
    assert fault() == ""
    path.chmod(0o600)
    assert fault() == "file is not a file that everybody may read"
    path.chmod(0o644)
    (root / "link").symlink_to("/etc/passwd")
    assert fault() == "link is a link to an absolute path"
    (root / "link").unlink()
    os.mkfifo(root / "pipe")
    assert fault() == "pipe is not a file that everybody may read"
    (root / "pipe").unlink()
    root.chmod(0o700)
    assert fault() == ". is not a file that everybody may read"


def test_a_file_that_has_become_a_link_is_not_followed(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "file").write_text("x")
    listing = read(root)
    (root / "file").unlink()
    (root / "file").symlink_to("/etc/passwd")
    with pytest.raises(OSError, match="symbolic links"):
        pack.pack(root, listing, tmp_path / "archive", threading.Event())


def test_packing_ends_with_the_run(tmp_path: Path) -> None:
    stop = threading.Event()
    stop.set()
    root = fill(tmp_path / "one")
    with pytest.raises(Interrupted):
        pack.pack(root, read(root), tmp_path / "archive", stop)


def test_a_file_that_has_changed_is_told(tmp_path: Path) -> None:
    root = fill(tmp_path / "one")
    listing = read(root)
    (root / "program").write_text("#!/bin/ls\n")
    with pytest.raises(BuildError, match=r"(program|twin) has changed since it was made"):
        pack.pack(root, listing, tmp_path / "archive", threading.Event())


def test_zstd_tells_itself_why_it_cannot_write(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "file").write_bytes(os.urandom(1 << 20))
    with pytest.raises(BuildError, match="No space left on device"):
        pack.pack(root, read(root), Path("/dev/full"), threading.Event())
