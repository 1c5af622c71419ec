"""A component's tree may be a folder of an archive that lies in its source."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from builder.archive.inner import unpack_inner
from builder.archive.unpack import unpack
from builder.console import Console
from builder.errors import UsageError, VerificationError

QUIET = Console(stream=io.StringIO(), interactive=False)
TOOLS = {
    "tools/keepalived/configure": b"keepalived",
    "tools/keepalived/core/main.c": b"main",
    "./tools/ipvsadm/Makefile": b"ipvsadm",
    "tools/quagga/configure": b"quagga",
    "tools/keepalived2/configure": b"another",
}


def _tar(files: Mapping[str, bytes]) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return made.getvalue()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """The unpacked tarball of the real one's layout."""
    outer = {"top/lvs-2.6.32-279.el6.patch": b"patch", "top/lvs-tools.tar.gz": _tar(TOOLS)}
    (tmp_path / "lvs.tar.gz").write_bytes(_tar(outer))
    unpack(tmp_path / "lvs.tar.gz", tmp_path / "tree", console=QUIET)
    return tmp_path / "tree"


def _inner(tree: Path, *inside: str) -> dict[str, bytes]:
    target = tree.parent / "out"
    unpack_inner(tree, inside, target, source="lvs", console=QUIET)
    files = (path for path in target.rglob("*") if path.is_file())
    return {str(path.relative_to(target)): path.read_bytes() for path in files}


def test_just_the_folder_comes_out(tree: Path) -> None:
    assert _inner(tree, "lvs-tools.tar.gz", "tools/keepalived") == {
        "configure": b"keepalived",
        "core/main.c": b"main",
    }


def test_a_leading_dot_and_slashes_make_no_difference(tree: Path) -> None:
    assert _inner(tree, "lvs-tools.tar.gz", "tools/ipvsadm/") == {"Makefile": b"ipvsadm"}


def test_without_a_folder_the_top_is_stripped(tree: Path) -> None:
    found = _inner(tree, "lvs-tools.tar.gz")
    assert found["quagga/configure"] == b"quagga"
    assert found["tools/ipvsadm/Makefile"] == b"ipvsadm"  # "." counts, as it does to tar


def test_a_missing_archive_is_told_with_what_is_there(tree: Path) -> None:
    with pytest.raises(VerificationError) as failure:
        _inner(tree, "tools.tar.gz", "tools/keepalived")
    assert failure.value.what == "source lvs has no tools.tar.gz"
    assert failure.value.cause == "it has: lvs-2.6.32-279.el6.patch, lvs-tools.tar.gz"


def test_a_missing_folder_is_told_with_what_is_there(tree: Path) -> None:
    with pytest.raises(VerificationError) as failure:
        _inner(tree, "lvs-tools.tar.gz", "tools/frr")
    assert failure.value.what == "lvs-tools.tar.gz has no tools/frr"
    assert "tools/keepalived, tools/keepalived2, tools/quagga" in failure.value.cause
    assert not (tree.parent / "out").exists()


@pytest.mark.parametrize(
    "inside", [(), ("a", "b", "c"), ("../x",), ("/etc/x",), ("",), ("x", "../y"), ("x", "/y")]
)
def test_only_an_archive_and_a_folder_below_it_can_be_named(
    tree: Path, inside: tuple[str, ...]
) -> None:
    with pytest.raises(UsageError, match="inside"):
        _inner(tree, *inside)


def test_a_link_is_no_archive(tree: Path) -> None:
    (tree / "link.tar.gz").symlink_to("lvs-tools.tar.gz")
    with pytest.raises(VerificationError, match=r"has no link\.tar\.gz"):
        _inner(tree, "link.tar.gz")
