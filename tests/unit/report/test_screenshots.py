"""The pictures in docs/images/ are of the reports as they are written today."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.report import screenshots


def test_the_pictures_are_of_the_pages_of_today(tmp_path: Path) -> None:
    drawn = json.loads((screenshots.FOLDER / screenshots.DRAWN).read_text())
    assert drawn == screenshots.digests(tmp_path), "run: python -m tests.support.report.screenshots"
    for name in drawn:
        picture = (screenshots.FOLDER / f"{name}.png").read_bytes()
        # The header of a PNG file (ISO/IEC 15948, 11.2.2): width and height in pixels.
        size = (int.from_bytes(picture[16:20]), int.from_bytes(picture[20:24]))
        assert size == (screenshots.WIDTH, screenshots.HEIGHTS[name])
