"""A damaged package and a full disk are told when one file is taken out of it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from builder.archive import extract_member
from builder.errors import VerificationError

ROOT = Path(__file__).resolve().parents[2]
EXTRACT = """
import sys
from pathlib import Path
from builder.archive import extract_member
extract_member(Path(sys.argv[1]), "data", Path(sys.argv[2]), max_bytes=1 << 30)
"""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    tree = tmp_path / "tree"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN/control").write_text(
        "Package: x\nVersion: 1\nArchitecture: all\nMaintainer: nobody\nDescription: x\n"
    )
    (tree / "data").write_bytes(os.urandom(3 << 20))
    path = tmp_path / "x.deb"
    subprocess.run(["dpkg-deb", "-Zgzip", "-b", tree, path], check=True, capture_output=True)
    return path


def test_one_file_is_taken_out(package: Path, tmp_path: Path) -> None:
    size = extract_member(package, "./data", tmp_path / "got", max_bytes=3 << 20)
    assert size == 3 << 20
    assert (tmp_path / "got").read_bytes() == (tmp_path / "tree/data").read_bytes()


@pytest.mark.parametrize("length", [0, 10, 1000, 1 << 20])
def test_a_cut_package_is_told(package: Path, tmp_path: Path, length: int) -> None:
    package.write_bytes(package.read_bytes()[:length])
    with pytest.raises(VerificationError, match=r"x\.deb"):
        extract_member(package, "data", tmp_path / "got", max_bytes=3 << 20)


def test_a_full_disk_is_told(package: Path, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    script = 'mount -t tmpfs -o size=1m none "$1" && exec "$2" -c "$3" "$4" "$1/got"'
    space = ["unshare", "--mount"]
    if os.geteuid() != 0:
        space += ["--user", "--map-root-user"]
    words: list[str | Path] = ["sh", "-c", script, "sh", small, sys.executable, EXTRACT, package]
    ended = subprocess.run([*space, *words], capture_output=True, text=True, check=False, cwd=ROOT)
    assert f"no space left in {small}" in ended.stderr
