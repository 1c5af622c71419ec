"""Spoilt archives are unpacked or refused: no traceback, no leftover, no time, no memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
COUNT = 400


@pytest.mark.timeout(120)
def test_spoilt_archives_do_no_harm(tmp_path: Path) -> None:
    words: list[str | Path] = [
        sys.executable,
        "-m",
        "tests.support.archive.fuzz",
        tmp_path,
        "11",
        str(COUNT),
    ]
    ended = subprocess.run(words, capture_output=True, text=True, check=False, cwd=ROOT)
    assert ended.returncode == 0, ended.stderr
    outcomes = {name: int(times) for name, times in map(str.split, ended.stdout.splitlines())}
    assert sum(outcomes.values()) == COUNT
    assert min(outcomes["refused"], outcomes["unpacked"]) > COUNT // 20, "both ways are gone"
    assert not list(tmp_path.iterdir())
