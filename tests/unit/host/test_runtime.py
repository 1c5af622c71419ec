"""Where the sockets of a lab are: one folder for each cache and profile, of this user alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.errors import EnvironmentFailure
from builder.host.paths import Cache, shells_folder


@pytest.fixture(autouse=True)
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))


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


def test_the_socket_s_path_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    """unix(7) has room for 107 bytes."""
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    folder = shells_folder(Cache(Path("/", *["a-deep-place"] * 20)), "lts")
    assert len(str(folder / "director-b")) <= 107
