"""A damaged package and a full disk are told when one file is taken out of it."""

from __future__ import annotations

import gzip
import lzma
import os
import subprocess
import sys
from pathlib import Path

import pytest

from builder.archive.deb import extract_member
from builder.errors import VerificationError
from tests.support.archive import raw

ROOT = Path(__file__).resolve().parents[3]
EXTRACT = """
import sys
from pathlib import Path
from builder.archive.deb import extract_member
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


def _ar(members: dict[str, bytes]) -> bytes:
    """An archive as ar writes it; deb(5)."""
    made = b"!<arch>\n"
    for name, data in members.items():
        made += f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(data):<10}`\n".encode()
        made += data + b"\n" * (len(data) % 2)
    return made


@pytest.mark.parametrize("greedy", [False, True])
def test_a_package_that_needs_gigabytes_of_memory_is_refused(tmp_path: Path, greedy: bool) -> None:
    tar = raw.file(b"./data") + raw.END
    data = raw.xz_with_a_large_dictionary(tar) if greedy else lzma.compress(tar)
    control = gzip.compress(raw.file(b"./control") + raw.END)
    members = {"debian-binary": b"2.0\n", "control.tar.gz": control, "data.tar.xz": data}
    (tmp_path / "x.deb").write_bytes(_ar(members))
    if not greedy:
        assert extract_member(tmp_path / "x.deb", "data", tmp_path / "got", max_bytes=99) == 4
        return
    with pytest.raises(VerificationError, match="memory"):
        extract_member(tmp_path / "x.deb", "data", tmp_path / "got", max_bytes=99)


def test_a_member_that_no_package_has_is_refused_by_name(tmp_path: Path) -> None:
    tar = lzma.compress(raw.pax((b"GNU.sparse.map", b"0,x")) + raw.file(b"./data") + raw.END)
    control = gzip.compress(raw.file(b"./control") + raw.END)
    members = {"debian-binary": b"2.0\n", "control.tar.gz": control, "data.tar.xz": tar}
    (tmp_path / "x.deb").write_bytes(_ar(members))
    with pytest.raises(VerificationError, match="data is not a plain file"):
        extract_member(tmp_path / "x.deb", "data", tmp_path / "got", max_bytes=99)
