from pathlib import Path

import pytest

from tests.support.patch.tree import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "tree", tmp_path / "series")
