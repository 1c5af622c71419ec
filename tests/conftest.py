"""Things that several rooms' tests share."""

from __future__ import annotations

import itertools
import os
import signal
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

from builder.configuration import load, places
from builder.host import ci
from tests import world

pytest_plugins = (
    "tests.levels",
    "tests.guard",
    "tests.support.gate.fixtures",
    "tests.support.remote.fixtures",
    "tests.support.source.fixtures",
)
LONG = 40

# How long an example takes says how busy the machine is.
settings.register_profile("patient", settings.default, deadline=None)
settings.load_profile("patient")


def pytest_configure(config: pytest.Config) -> None:
    """Let the tests be the same everywhere, and the programs that they start, too.

    The configuration of whoever runs them is not read: a file without a key takes its place.

    Python keeps what it compiles, for the program is started hundreds of times.  Whether this is
    CI (builder.host.ci) decides what is refused: those that try it say so.
    """
    os.environ.pop(ci.VARIABLE, None)
    for name in itertools.chain(*load.VARIABLES.values()):
        os.environ.pop(name, None)
    empty = tempfile.NamedTemporaryFile(prefix="no-config-", suffix=".toml")  # noqa: SIM115
    Path(empty.name).chmod(0o644)  # for tests that become another user
    config.add_cleanup(empty.close)
    os.environ[places.VARIABLE] = empty.name
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # also for the workers of this run
    sys.dont_write_bytecode = False


def pytest_make_parametrize_id(val: object) -> str | None:
    """Name long bytes by their number: a test's name is in the environment, which is bounded."""
    return f"{len(val)} bytes" if isinstance(val, bytes) and len(val) > LONG else None


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
