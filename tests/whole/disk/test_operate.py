"""docs/how-to/operate.md, typed line by line at the director that was built."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.vm import accelerator
from tests.support.disk.operate.director import Director
from tests.support.disk.operate.page import blocks
from tests.whole.conftest import Built

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "operate.md"
pytestmark = [pytest.mark.timeout(3000)]


def test_an_operator_gets_a_service_that_survives_a_reboot(built: Built, tmp_path: Path) -> None:
    release = (built.artifacts / "vm" / "release").read_text().strip()
    disk = built.artifacts / "vm" / "director.qcow2"
    director = Director(disk, release, accelerator.decide(tmp_path), tmp_path)
    page = blocks(PAGE.read_text(encoding="utf-8"))
    todo = tuple(block for block in page if block.where in ("director", "client"))
    done = list(director.follow(todo))
    for typed in done:
        assert typed.status == 0, (
            f"{PAGE.name}:{typed.block.line}: {typed.block.script}{typed.output}"
        )
    assert [typed.block for typed in done] == list(todo)
    assert sum(block.reboots for block in todo) >= 1
    answers = [typed.output for typed in done if typed.block.where == "client"]
    assert answers and all(answer == "served by 203.0.113.10\n" for answer in answers)
