"""A root and a workshop of each test's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.installed import root as roots
from tests.installed.hollow import Workshop
from tests.installed.root import Root


@pytest.fixture
def root(tmp_path: Path) -> Root:
    folder = tmp_path / "root"
    folder.mkdir()
    return roots.make(folder)


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    folder = tmp_path / "workshop"
    folder.mkdir()
    return Workshop(folder)
