"""A small project that has a stand-in for the base centos6."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import world
from tests.support.el6.project import stand_in
from tests.world import World


@pytest.fixture
def project(tmp_path: Path) -> World:
    """A small project with a stand-in for centos6, and a cache of its own."""
    made = world.make(tmp_path / "project", tmp_path / "cache")
    stand_in(made.project / "dockerfiles")
    return made
