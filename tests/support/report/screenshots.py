"""Pictures of the reports for the documentation: ``python -m tests.support.report.screenshots``.

The pages are made by the code of today, of the tests' sample build and recording; Chromium draws
them.  ``drawn.json`` has the digests of the pages that were drawn: a test fails when a page has
changed since.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from builder.digest import Digest, of_text
from builder.host import process
from builder.lab import judging
from builder.lab.page import html as lab_page
from builder.report import html as build_page
from tests.support.lab import recordings
from tests.support.report import sample
from tests.world import ROOT

FOLDER = ROOT / "docs" / "images"
DRAWN = "drawn.json"
WIDTH = 1280
HEIGHTS: Mapping[str, int] = {"build-report": 1500, "lab-report": 1500}
"""Pixels of each picture: as much of a page as explains itself."""


def pages(folder: Path) -> dict[str, str]:
    """The pages by the names of their pictures."""
    made = sample.green()
    recording = recordings.make(folder / "recording")
    return {
        "build-report": build_page.render(made, sample.SMOKE, sample.log_names(made)),
        "lab-report": lab_page.render(judging.judge(recording), recording),
    }


def digests(folder: Path) -> dict[str, Digest]:
    """The digests of the pages of today by the names of their pictures."""
    return {name: of_text(text) for name, text in pages(folder).items()}


def write(target: Path) -> None:
    """Draw all pictures into ``target``.  Raises EnvironmentFailure without Chromium."""
    chromium = process.require_tool("chromium")
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        drawn: dict[str, Digest] = {}
        for name, text in pages(folder).items():
            drawn[name] = of_text(text)
            page = folder / f"{name}.html"
            page.write_text(text, encoding="utf-8")
            subprocess.run(
                (
                    chromium,
                    *("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"),
                    f"--user-data-dir={folder / 'browser'}",
                    f"--window-size={WIDTH},{HEIGHTS[name]}",
                    f"--screenshot={target / name}.png",
                    page.as_uri(),
                ),
                check=True,
                capture_output=True,
            )
    (target / DRAWN).write_text(json.dumps(drawn, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write(FOLDER)
