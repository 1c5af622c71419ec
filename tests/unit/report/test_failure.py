"""A failure ends in three lines that a person can act on."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.errors import BuildError, PatchError
from builder.host.paths import find_project
from builder.report import failure


def test_three_lines_the_log_and_the_shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(find_project().root)
    log = tmp_path / "build-kernel.log"
    log.write_text("x")
    error = BuildError("it broke", "a.c:1: error: no\nb.c:2: error: no", "fix it")
    error.stage, error.log = "build:kernel", log
    assert failure.render(error, can_enter=True).splitlines() == [
        "failed: it broke (stage build:kernel)",
        "cause: a.c:1: error: no",
        "       b.c:2: error: no",
        "next:  fix it",
        f"log:   {log}",
        "shell: ./bootstrap shell build:kernel",
    ]


def test_what_is_not_known_is_left_out() -> None:
    text = failure.render(PatchError("it does not fit"), can_enter=False)
    assert text == "failed: it does not fit"
