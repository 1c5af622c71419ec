"""Large captures: packets a second, and memory that holds what is open, not the file."""

from __future__ import annotations

from pathlib import Path

from builder.commands import judge_speed as speed
from builder.host.paths import find_project
from builder.lab.trace.sample import SampleShape

MOST_GROWTH = 12
"""MB that four times the packets may take more: what an allocator keeps."""
A_MINUTE = 60e-6
"""Processor seconds of a packet, when a million take a minute."""


def test_memory_holds_what_is_open_and_not_the_file(tmp_path: Path) -> None:
    """The same few connections at a time, in captures that are four times as long."""
    project = find_project()
    few, many = (
        speed.measure(project, tmp_path, SampleShape(count, packets=25, content=1250, open=20))
        for count in (250, 1000)
    )
    assert (few.packets, many.packets) == (12_500, 50_000)
    assert many.peak - few.peak < MOST_GROWTH, (few, many)
    assert many.used / many.packets < A_MINUTE, many


def test_memory_does_not_grow_with_one_connection(tmp_path: Path) -> None:
    project = find_project()
    few, many = (
        speed.measure(project, tmp_path, SampleShape(1, packets=count, content=1250, open=1))
        for count in (3000, 12_000)
    )
    assert many.peak - few.peak < MOST_GROWTH, (few, many)
