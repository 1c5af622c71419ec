"""The relay with Debian's Redis, whose user may get and set objects of ccache and nothing else."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from builder.console import Console
from builder.relay.model import CompilerCache, RelayTraffic
from builder.relay.relay import Relay
from builder.remote.model import Password
from tests.support.relay import redis
from tests.support.relay.client import KEY, OBJECT, OTHER, connect
from tests.support.relay.doors import door_to
from tests.support.remote.store import USER

pytestmark = pytest.mark.registry
LARGE = OBJECT + bytes(3_000_000)


@pytest.fixture(scope="module")
def binary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return redis.program(tmp_path_factory.mktemp("redis"))


def exchange(folder: Path, cache: CompilerCache, said: io.StringIO) -> RelayTraffic:
    """Get an object, and store that and another one; the next one finds both."""
    relay = Relay(cache, Console(said, interactive=False))
    with door_to(relay, folder) as (path, traffic), connect(path) as client:
        for key, data in ((KEY, OBJECT), (OTHER, LARGE)):
            found = client.get(key)
            assert found in (b"$-1\r\n", b"$%d\r\n%s\r\n" % (len(data), data))
            assert client.put(key, data) == b"+OK\r\n"
    relay.close()
    return traffic


def test_objects_go_through_redis(binary: Path, tmp_path: Path) -> None:
    said = io.StringIO()
    with redis.serve(binary, tmp_path) as server:
        cache = CompilerCache(server.url, True, Password(USER))
        size = len(OBJECT) + len(LARGE)
        first = exchange(tmp_path / "first", cache, said)
        assert first == RelayTraffic(missing=2, stored=2, sent=size)
        second = exchange(tmp_path / "second", cache, said)
        assert second == RelayTraffic(found=2, stored=2, received=size, sent=size)
    assert said.getvalue() == ""


@pytest.mark.parametrize("password", ["ci:hunter-two-three", "hunter-two-three", ""])
def test_a_wrong_password_is_told_and_not_shown(
    binary: Path, tmp_path: Path, password: str
) -> None:
    said = io.StringIO()
    with redis.serve(binary, tmp_path) as server:
        cache = CompilerCache(server.url, True, Password(password) if password else None)
        traffic = exchange(tmp_path / "door", cache, said)
    assert traffic == RelayTraffic(errors=1)
    (line,) = said.getvalue().splitlines()
    assert "is not used in this run" in line
    assert "AUTH" in line or "WRONGPASS" in line
    assert "hunter" not in line
