"""The promise: a gigabyte of a million packets in a minute, by 300 MB."""

from __future__ import annotations

from pathlib import Path

from builder.commands import judge_speed as speed
from builder.host.paths import find_project


def test_a_gigabyte_is_judged_in_a_minute(tmp_path: Path) -> None:
    found = speed.measure(find_project(), tmp_path, speed.LARGE)
    assert found.packets == 1_000_000
    assert found.used < 60, found
    assert found.peak < 300, found
