"""Of generated patches the builder makes GNU patch's trees, or refuses them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.patch import fuzz

COUNT = 300


@pytest.mark.timeout(300)
def test_generated_patches_make_the_same_trees_as_gnu_patch(tmp_path: Path) -> None:
    outcomes = fuzz.run(tmp_path, 12, COUNT)
    assert sum(outcomes.values()) == COUNT
    assert outcomes["applied"] > COUNT // 3, "most patches are good ones"
    assert outcomes["refused"] > COUNT // 10, "GNU patch refuses some, too"
    assert outcomes["stricter"] < COUNT // 5, "too much is refused that GNU patch takes"
    assert outcomes["better"] > COUNT // 50, "line ends and last lines are tried"
    assert not list(tmp_path.iterdir())
