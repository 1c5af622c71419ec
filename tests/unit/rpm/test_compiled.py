"""Where a build's objects came from, by the log that ccache 4.7 writes."""

from __future__ import annotations

from pathlib import Path

from builder.rpm import compiled
from builder.rpm.compiled import CallCounts

MISS = "cache_miss\ndirect_cache_miss\nlocal_storage_read_miss\nremote_storage_read_miss\n"
LOCAL = "direct_cache_hit\nlocal_storage_hit\nlocal_storage_read_hit\nlocal_storage_read_hit\n"
REMOTE = "direct_cache_hit\nlocal_storage_miss\nremote_storage_hit\nremote_storage_read_hit\n"
# The manifest came from the team's cache, and the object did not.
HALF = "cache_miss\ndirect_cache_miss\nlocal_storage_miss\nremote_storage_hit\n"
OTHER = "called_for_link\n"


def test_each_call_counts_once(tmp_path: Path) -> None:
    log = tmp_path / "calls"
    calls = (MISS, LOCAL, REMOTE, REMOTE, HALF, OTHER)
    log.write_text("".join(f"# file {n}.c\n{call}" for n, call in enumerate(calls)))
    assert compiled.read(log) == CallCounts(local=1, remote=2, compiled=2)


def test_a_base_without_ccache_has_no_log(tmp_path: Path) -> None:
    assert compiled.read(tmp_path / "calls") is None


def test_a_source_whose_name_is_no_text_counts_too(tmp_path: Path) -> None:
    log = tmp_path / "calls"
    log.write_bytes(b"# caf\xe9.c\n" + MISS.encode())
    assert compiled.read(log) == CallCounts(compiled=1)
