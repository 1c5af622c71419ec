"""Where the sockets of a lab are: one folder for each cache and profile, of this user alone."""

from __future__ import annotations

import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from builder.errors import EnvironmentFailure
from builder.host.paths import Cache, shells_folder


@pytest.fixture(autouse=True)
def runtime(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder whose path is short, whatever the test's name is."""
    with tempfile.TemporaryDirectory(prefix="run-", dir="/tmp") as folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
        yield Path(folder)


def test_two_caches_have_two_folders(tmp_path: Path) -> None:
    first, second = Cache(tmp_path / "first"), Cache(tmp_path / "second")
    assert shells_folder(first, "lts") == shells_folder(first, "lts")
    assert shells_folder(first, "lts") != shells_folder(second, "lts")
    assert shells_folder(first, "lts") != shells_folder(first, "el6")


def test_a_cache_has_one_folder_by_whatever_name_it_goes(tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "cache")
    assert shells_folder(Cache(tmp_path / "link"), "lts") == shells_folder(
        Cache(tmp_path / "cache"), "lts"
    )


def test_the_folder_lets_nobody_else_in_and_follows_no_link(tmp_path: Path) -> None:
    folder = shells_folder(Cache(tmp_path / "cache"), "lts")
    assert folder.stat().st_mode & 0o777 == folder.parent.stat().st_mode & 0o777 == 0o700
    folder.rmdir()
    folder.symlink_to(tmp_path)
    with pytest.raises(EnvironmentFailure, match="cannot be used"):
        shells_folder(Cache(tmp_path / "cache"), "lts")


def test_the_socket_s_path_is_short(runtime: Path) -> None:
    """unix(7) has room for 107 bytes."""
    folder = shells_folder(Cache(Path("/", *["a-deep-place"] * 20)), "lts")
    assert folder.is_relative_to(runtime)
    assert len(str(folder / "director-b")) <= 107


def test_a_long_runtime_folder_gives_way_to_the_temporary_one(
    runtime: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "long" / ("x" * 80)))
    monkeypatch.setattr(tempfile, "tempdir", str(runtime))
    folder = shells_folder(Cache(tmp_path / "cache"), "lts")
    assert folder.is_relative_to(runtime)
    with socket.socket(socket.AF_UNIX) as shell:
        shell.bind(str(folder / "a-name-of-16-b.s"))
    assert not (tmp_path / "long").exists()


def test_no_place_that_is_short_enough_is_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("XDG_RUNTIME_DIR", "TMPDIR"):
        monkeypatch.setenv(variable, str(tmp_path / ("x" * 80)))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / ("x" * 80)))
    with pytest.raises(EnvironmentFailure, match="too long for a socket") as told:
        shells_folder(Cache(tmp_path / "cache"), "lts")
    assert "shorter path" in told.value.hint
