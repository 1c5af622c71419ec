"""The experiment of docs/tutorial.md is a scenario, and its commands are understood."""

from __future__ import annotations

import re
from pathlib import Path

from builder.lab import catalogue
from tests.world import ROOT

PAGE = ROOT / "docs" / "tutorial.md"


def scenario() -> tuple[str, str]:
    """The name of the page's scenario, and what its file has."""
    text = PAGE.read_text(encoding="utf-8")
    named = re.search(r"`builder/lab/scenarios/([a-z-]+)\.toml`", text)
    written = re.search(r"^```toml\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    assert named is not None
    assert written is not None
    return named[1], written[1]


def test_its_scenario_can_be_loaded(tmp_path: Path) -> None:
    name, text = scenario()
    (tmp_path / f"{name}.toml").write_text(text)
    loaded, topology = catalogue.load(name, tmp_path)
    used = {address for run in loaded.run for one in run.service for address in one.local}
    assert used <= set(topology.host["director"].addresses)
    assert [run.control for run in loaded.run] == [False, True]


def test_its_commands_name_that_scenario() -> None:
    text = PAGE.read_text(encoding="utf-8")
    asked = re.findall(r"^\./bootstrap lab .*--scenario ([a-z-]+)", text, re.MULTILINE)
    assert asked[-2:] == [scenario()[0]] * 2
