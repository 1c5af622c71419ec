"""What bootstrap tells while pip works."""

from __future__ import annotations

import io

import pytest

from builder.setup.progress import PAUSE, PipProgress
from tests.support.terminals import open_terminal

PIP = [
    "Looking in indexes: https://example.test/simple",
    "Collecting invoke==2.2.0 (from -r runtime.txt (line 1))",
    "  Downloading invoke-2.2.0-py3-none-any.whl (160 kB)",
    "Processing /srv/packages/tqdm-4.67.1-py3-none-any.whl (from -r runtime.txt (line 5))",
    "Installing collected packages: invoke, tqdm",
    "Successfully installed invoke-2.2.0 tqdm-4.67.1",
]


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_log_gets_a_line_now_and_then() -> None:
    stream, clock = io.StringIO(), Clock()
    progress = PipProgress(2, stream, clock)
    for line in PIP[:3]:
        progress.hear(line)
        progress.tick()
    assert stream.getvalue() == ""
    for _ in range(2):  # the second tick comes too early
        clock.now += PAUSE * 0.6
        progress.tick()
    clock.now += PAUSE * 0.8
    progress.tick()
    for line in PIP[3:]:
        progress.hear(line)
    clock.now += PAUSE
    progress.tick()
    progress.close()
    assert stream.getvalue().splitlines() == [
        "making .venv: downloading 1 of 2: invoke (24 s)",
        "making .venv: installing 2 packages (60 s)",
    ]


@pytest.mark.parametrize(("term", "redraws"), [("xterm", True), ("dumb", False)])
def test_a_terminal_shows_every_package_in_one_line(
    monkeypatch: pytest.MonkeyPatch, term: str, *, redraws: bool
) -> None:
    monkeypatch.setenv("TERM", term)
    with open_terminal(80) as terminal:
        progress = PipProgress(2, terminal.stream, Clock())
        for line in PIP:
            progress.hear(line)
            progress.tick()
        progress.close()
        said = terminal.screen()
    shown = [line for line in said.split("\r\x1b[K") if line]
    assert bool(said) == redraws
    if redraws:
        assert list(dict.fromkeys(shown)) == [
            "making .venv: starting pip (0 s)",
            "making .venv: downloading 1 of 2: invoke (0 s)",
            "making .venv: downloading 2 of 2: tqdm (0 s)",
            "making .venv: installing 2 packages (0 s)",
        ]
        assert said.endswith("\r\x1b[K"), "the next message begins on an empty line"
