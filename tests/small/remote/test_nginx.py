"""The configuration of docs/how-to/scale.md, run by the nginx of Debian."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
import requests

from builder.console import Console
from builder.relay.model import CompilerCache, RelayTraffic
from builder.relay.relay import Relay
from builder.remote.model import Password
from tests.support.relay.client import KEY, OBJECT, connect
from tests.support.relay.doors import door_to
from tests.support.remote import nginx
from tests.support.remote.keys import KeyPair
from tests.support.remote.machines import IMAGE, KERNEL, Machine, reader, writer
from tests.support.remote.store import USER

pytestmark = pytest.mark.registry


@pytest.fixture(scope="module")
def binary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return nginx.program(tmp_path_factory.mktemp("nginx"))


def test_a_team_shares_its_stages_through_nginx(
    binary: Path, tmp_path: Path, pair: KeyPair
) -> None:
    with nginx.serve(binary, tmp_path) as url:
        maker, other = Machine(tmp_path / "maker"), Machine(tmp_path / "other")
        maker.run(writer(url, pair))
        other.run(reader(url, pair))
        assert (maker.ran, other.ran) == ([KERNEL, IMAGE], [])
        store = tmp_path / "stages/store"
        files = [path for path in store.rglob("*") if path.is_file()]
        assert len(files) == 6
        for path in files:
            where = f"{url}{path.relative_to(store)}"
            assert requests.put(where, b"poison", timeout=20).status_code == 401
            assert requests.delete(where, timeout=20).status_code == 401
        assert requests.get(f"{url}v1/", timeout=20).status_code == 403
        assert requests.put(f"{url}elsewhere", b"x", timeout=20).status_code == 404
        third = Machine(tmp_path / "third")
        third.run(reader(url, pair))
        assert third.ran == []


def test_a_wrong_password_costs_the_push_and_not_the_build(
    binary: Path, tmp_path: Path, pair: KeyPair
) -> None:
    with nginx.serve(binary, tmp_path) as url:
        machine = Machine(tmp_path / "one")
        machine.run(writer(url, pair, "ci:wrong"))
        assert machine.ran == [KERNEL, IMAGE]
        assert "not pushed to the stage store" in machine.told[0]
        assert not list((tmp_path / "stages/store").rglob("*"))


def test_a_team_shares_its_objects_through_the_same_server(binary: Path, tmp_path: Path) -> None:
    said = io.StringIO()

    def exchange(name: str, password: Password | None, *, pushes: bool) -> RelayTraffic:
        cache = CompilerCache(f"{url}objects/", pushes, password)
        relay = Relay(cache, Console(said, interactive=False))
        with door_to(relay, tmp_path / name) as (path, traffic), connect(path) as client:
            client.get(KEY)
            client.put(KEY)
        relay.close()
        return traffic

    with nginx.serve(binary, tmp_path) as url:
        refused = exchange("stranger", None, pushes=True)
        assert (refused.missing, refused.stored, refused.errors) == (1, 0, 1)
        assert "nothing more is stored" in said.getvalue()
        assert "HTTP 401" in said.getvalue()
        size = len(OBJECT)
        stored = exchange("maker", Password(USER), pushes=True)
        assert stored == RelayTraffic(missing=1, stored=1, sent=size)
        assert exchange("reader", None, pushes=False) == RelayTraffic(found=1, received=size)
