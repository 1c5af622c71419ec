"""Fixtures of the fetch tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.source.server import Habits, serve
from tests.support.source.site import Site


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@pytest.fixture
def server() -> Iterator[Habits]:
    with serve() as habits:
        yield habits
