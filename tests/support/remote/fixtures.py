"""Fixtures of the tests with a store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.remote import keys
from tests.support.remote.keys import KeyPair
from tests.support.remote.store import StoreServer, serve


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory) -> KeyPair:
    """The key of the machine that pushes."""
    return keys.make(tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="session")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> KeyPair:
    """A key that nobody accepts."""
    return keys.make(tmp_path_factory.mktemp("strange"), "stranger")


@pytest.fixture
def stage_store(tmp_path: Path) -> Iterator[StoreServer]:
    with serve(tmp_path / "served") as store:
        yield store
