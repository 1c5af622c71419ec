"""Never more jobs than the budget has, whether stages or GNU make take them."""

from __future__ import annotations

import os
import subprocess
import threading
from pathlib import Path

import pytest

from builder.errors import Interrupted
from builder.pipeline.budget import PIPE, Budget

MAKEFILE = """\
all: {names}
{names}:
\t@echo start >> log; sleep 0.1; echo end >> log
"""


def most_at_once(log: str) -> int:
    running = most = 0
    for line in log.split():
        running += 1 if line == "start" else -1
        most = max(most, running)
    return most


def test_two_makes_share_one_budget(tmp_path: Path) -> None:
    budget = Budget(tmp_path / "jobs", 3)
    stop = threading.Event()
    names = " ".join(f"t{number}" for number in range(8))
    (tmp_path / "Makefile").write_text(MAKEFILE.format(names=names))
    script = f"exec 8<>{budget.folder / PIPE}; exec make"
    makes = []
    with budget.slot(stop), budget.slot(stop):
        for _ in range(2):
            makes.append(
                subprocess.Popen(
                    ["sh", "-c", script],
                    cwd=tmp_path,
                    env={**os.environ, "MAKEFLAGS": "-j --jobserver-auth=8,8"},
                )
            )
        assert [make.wait(30) for make in makes] == [0, 0]
    assert most_at_once((tmp_path / "log").read_text()) == 3
    assert os.read(budget._handle, 10) == b"+++"
    budget.close()


def test_waiting_for_a_token_ends_when_the_run_is_stopped(tmp_path: Path) -> None:
    budget = Budget(tmp_path / "jobs", 1)
    stop = threading.Event()
    with budget.slot(stop):
        threading.Timer(0.3, stop.set).start()
        with pytest.raises(Interrupted), budget.slot(stop):
            pass
    budget.close()


def test_a_failed_stage_gives_its_token_back(tmp_path: Path) -> None:
    budget = Budget(tmp_path / "jobs", 1)
    stop = threading.Event()
    with pytest.raises(ValueError, match="boom"), budget.slot(stop):
        raise ValueError("boom")
    with budget.slot(stop):
        pass
    budget.close()


def test_workers_add_their_jobs(tmp_path: Path) -> None:
    budget = Budget(tmp_path, 1)
    budget.grow(2)
    stop = threading.Event()
    with budget.slot(stop), budget.slot(stop), budget.slot(stop):
        assert budget.jobs == 1, "what this machine does itself is as before"
        with pytest.raises(BlockingIOError):
            os.read(budget._handle, 1)
    budget.close()
