"""Paths and hints are meant from the folder in which the user stands, whoever changed it since."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.world import ROOT


def started(stands: str, *words: str) -> str:
    """What is said by the program that bootstrap starts in the checkout's folder."""
    ended = subprocess.run(
        [sys.executable, "-m", "builder", *words],
        cwd=ROOT,
        env={**os.environ, "LVS_BUILDER_FROM": stands},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ended.returncode in (2, 4), ended.stderr
    return ended.stderr


@pytest.mark.parametrize(
    ("below", "hint"), [("", "./bootstrap"), ("docs", "../bootstrap"), ("tests/unit", "../../")]
)
def test_a_hint_can_be_pasted_in_every_folder_of_the_checkout(below: str, hint: str) -> None:
    assert f"next:  {hint}" in started(str(ROOT / below), "buidl")


def test_outside_it_has_the_whole_path_also_through_a_link(tmp_path: Path) -> None:
    assert f"next:  {ROOT}/bootstrap --list" in started(str(tmp_path), "buidl")
    (tmp_path / "link").symlink_to(ROOT / "docs")
    assert "next:  ../bootstrap --list" in started(str(tmp_path / "link"), "buidl")


def test_a_folder_that_has_gone_is_no_hindrance(tmp_path: Path) -> None:
    assert "next:  ./bootstrap --list" in started(str(tmp_path / "gone"), "buidl")


def test_a_file_is_meant_from_there(tmp_path: Path) -> None:
    words = ("judge", "--outside", "here.pcap", "--inside", "there.pcap", "--vip", "192.0.2.1:80")
    more = ("--local", "198.51.100.1", "--server", "203.0.113.1:80")
    absent = started(str(tmp_path), *words, *more)
    for name in ("here.pcap", "there.pcap"):
        (tmp_path / name).write_bytes(b"no capture")
    present = started(str(tmp_path), *words, *more)
    assert "cause: there is no such file" in absent
    assert "cause: there is no such file" not in present
