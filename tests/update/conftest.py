"""Fixtures of the tests of updates."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.source.site import Site


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)
