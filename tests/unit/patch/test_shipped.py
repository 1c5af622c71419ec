"""The series of this repository can be read: each lists the patches beside it, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.patch.order import SERIES
from builder.patch.series import load

PATCHES = Path(__file__).parents[3] / "patches"
SHIPPED = sorted(path.parent for path in PATCHES.rglob(SERIES))


@pytest.mark.parametrize("folder", SHIPPED, ids=lambda path: str(path.relative_to(PATCHES)))
def test_a_shipped_series_can_be_read(folder: Path) -> None:
    listed = [patch.name for patch in load(folder).patches]
    assert listed == sorted(path.name for path in folder.glob("*.patch"))
