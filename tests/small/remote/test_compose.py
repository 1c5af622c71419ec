"""The compose file of docs/how-to/scale.md: its containers, as a team's machines use them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from builder.host import temporary
from tests.support.relay.client import OBJECT
from tests.support.remote import compose
from tests.support.remote.compose import Server
from tests.support.remote.machines import IMAGE, KERNEL
from tests.support.remote.store import USER
from tests.support.remote.visit import visit
from tests.support.source import authority
from tests.support.source.authority import Authority

pytestmark = [pytest.mark.registry, pytest.mark.engine]
SIZE = len(OBJECT)
IMAGES_OF = ("stages", "objects")


@pytest.fixture(scope="module")
def vouching(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority.make(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def server(vouching: Authority) -> Iterator[Server]:
    with temporary.folder("compose") as scratch:
        keys = vouching.certificate.parent
        with compose.running(scratch, keys / "web.pem", keys / "web.key") as made:
            yield made


def test_a_team_shares_stages_and_objects(
    server: Server, vouching: Authority, tmp_path: Path
) -> None:
    found = visit(server, tmp_path, vouching.certificate)
    assert (found.maker, found.other) == ([KERNEL, IMAGE], []), found.said
    assert found.wrong == [KERNEL, IMAGE]
    assert "HTTP 401" in found.said
    assert found.stored == {"missing": 1, "stored": 1, "sent": SIZE}, found.said
    assert found.read == {"found": 1, "received": SIZE}
    assert found.refused == {"missing": 1, "errors": 1}
    assert "NOPERM" in found.said
    server.compose("restart", "--timeout", "20")
    objects = visit(server, tmp_path / "again", vouching.certificate)
    assert objects.refused["found"] == 1, "objects outlive a restart"


def test_its_containers_have_no_rights_and_no_password_in_the_clear(server: Server) -> None:
    for service in IMAGES_OF:
        status = server.status(service)
        assert status["Uid"] == status["Gid"] == "65500\t65500\t65500\t65500"
        assert {int(status[name], 16) for name in ("CapInh", "CapEff", "CapBnd")} == {0}
        assert status["NoNewPrivs"] == "1"
        (root,) = (line for line in server.mounts(service) if line.split()[1] == "/")
        assert "ro" in root.split()[3].split(",")
    password = USER.partition(":")[2]
    assert password not in server.compose("logs")
    secrets = list((server.folder / "secrets").iterdir())
    assert {path.stat().st_mode & 0o777 for path in secrets} == {0o600}
    assert all(password not in path.read_text() for path in secrets)


@pytest.mark.parametrize(
    ("password", "files", "said"),
    [
        ("\n", ("tls.pem", "tls.key"), "an empty password"),
        ("", ("tls.pem", "tls.key"), "no password was given"),
        ("word\n", (), "secrets/tls.pem is missing"),
        ("word\n", ("tls.pem",), "secrets/tls.key is missing"),
    ],
)
def test_what_is_missing_is_told(
    password: str, files: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    compose.copy(tmp_path / "server")
    (tmp_path / "server/secrets").mkdir()
    for name in files:
        (tmp_path / "server/secrets" / name).write_text("x")
    done = compose.prepare(tmp_path / "server", password)
    assert done.returncode == 1
    assert said in done.stderr
    assert not (tmp_path / "server/data").exists()
