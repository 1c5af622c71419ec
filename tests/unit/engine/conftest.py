"""An engine that is a peer on a socket, for which the user has named it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.engine import peer as peers
from tests.support.engine.peer import Peer


@pytest.fixture
def peer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Peer]:
    for name in ("DOCKER_CONTEXT", "DOCKER_TLS_VERIFY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    with peers.serve(tmp_path) as served:
        monkeypatch.setenv("DOCKER_HOST", served.url)
        yield served
