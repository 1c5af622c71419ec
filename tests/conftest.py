"""Things that several rooms' tests share."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest
from hypothesis import settings

from tests import world

pytest_plugins = ("tests.levels", "tests.guard")

# How long an example takes says how busy the machine is.
settings.register_profile("patient", settings.default, deadline=None)
settings.load_profile("patient")


def pytest_configure() -> None:
    """Let Python keep what it compiles: the tests start the program hundreds of times."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # also for the workers of this run
    sys.dont_write_bytecode = False


@pytest.fixture(scope="session", autouse=True)
def _interruptible() -> None:
    """Let the programs that tests start be interrupted, also if this run itself is not.

    What a shell starts in the background ignores SIGINT, and its children inherit that
    (POSIX.1-2017, XCU 2.11).
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def pipeline_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cache of all tests that build for real, so that the base is made once.

    ``LVS_TEST_CACHE`` names one that outlives the run, for those who work on the tests.
    """
    named = os.environ.get("LVS_TEST_CACHE")
    if not named:
        return tmp_path_factory.mktemp("cache")
    # Workers side by side would wait for each other, and see each other's runs.
    return Path(named + os.environ.get("PYTEST_XDIST_WORKER", ""))


@pytest.fixture
def small(tmp_path: Path, pipeline_cache: Path) -> world.World:
    """A small project of this test's own, on the shared cache."""
    return world.make(tmp_path / "project", pipeline_cache)
