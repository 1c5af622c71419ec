"""The relay between a compiler's cache and a store: what passes, and what does not."""

from __future__ import annotations

import io
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from builder.console import Console
from builder.relay import relay as relays
from builder.relay import uploads
from builder.relay.model import MOST, CompilerCache, RelayTraffic
from builder.relay.relay import Relay
from builder.relay.room import Room, RoomClaim
from builder.remote.exchange import StorePatience
from builder.remote.model import Password
from tests.support.clock import busy
from tests.support.relay.client import KEY, OBJECT, OTHER, Client, connect
from tests.support.relay.doors import SCOPE, door_to
from tests.support.remote.store import USER, Handler, StoreServer

BULK = b"$%d\r\n%s\r\n" % (len(OBJECT), OBJECT)
NAME = b"ccache:" + KEY.encode()
NOTHING = b"$-1\r\n"
QUICK = StorePatience(connect=5.0, stall=5.0, answer=5.0, attempts=1)
HASTY = replace(QUICK, connect=0.3, stall=0.3, answer=0.3)


@dataclass
class Site:
    """A machine of the team: its relay, its socket, and what it was told."""

    folder: Path
    said: io.StringIO = field(default_factory=io.StringIO)

    @contextmanager
    def open(
        self,
        cache: CompilerCache,
        patience: StorePatience = QUICK,
        *,
        scope: str = SCOPE,
        stores: bool = True,
    ) -> Iterator[tuple[Client, RelayTraffic, Relay]]:
        """A client with its connection to the relay, which is closed at the block's end."""
        relay = Relay(cache, Console(self.said, interactive=False), patience)
        place = self.folder / f"door-{time.monotonic_ns()}"
        with (
            door_to(relay, place, scope, stores=stores) as (path, traffic),
            connect(path) as client,
        ):
            yield client, traffic, relay
        relay.close()

    @property
    def warnings(self) -> list[str]:
        return [line for line in self.said.getvalue().splitlines() if "compiler cache" in line]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def writer(store: StoreServer) -> CompilerCache:
    return CompilerCache(f"{store.url}objects/", True, Password(USER))


def reader(store: StoreServer) -> CompilerCache:
    return CompilerCache(f"{store.url}objects/")


def test_objects_go_from_one_machine_to_the_other(site: Site, stage_store: StoreServer) -> None:
    with site.open(writer(stage_store)) as (client, traffic, _):
        assert client.get(KEY) == NOTHING
        assert client.put(KEY) == b"+OK\r\n"
    assert traffic == RelayTraffic(missing=1, stored=1, sent=len(OBJECT))
    assert stage_store.files == [f"objects/{SCOPE}/{KEY[:2]}/{KEY[2:]}"]
    with site.open(reader(stage_store)) as (client, traffic, _):
        assert client.get(KEY) == BULK
        assert client.get(OTHER) == NOTHING
    assert traffic == RelayTraffic(found=1, missing=1, received=len(OBJECT))
    assert site.warnings == []


def test_a_machine_that_only_reads_stores_nothing(site: Site, stage_store: StoreServer) -> None:
    with site.open(reader(stage_store)) as (client, _, _):
        assert client.put(KEY) == b"+OK\r\n", "a compiler has nothing to report"
    assert stage_store.asked == []


@pytest.mark.parametrize(
    "words",
    [
        (b"GET", b"../../etc/passwd"),
        (b"GET", b"ccache:../../../../etc/passwd"),
        (b"GET", b"ccache:" + KEY.encode() + b"\n"),
        (b"GET", b"ccache:" + KEY.encode() + b"?x"),
        (b"GET", b"ccache:" + KEY.upper().encode()),
        (b"GET", b"ccache:ab"),
        (b"GET", b"ccache:" + b"a" * 200),
        (b"SET", b"other:" + KEY.encode(), OBJECT),
        (b"KEYS", b"*"),
        (b"CONFIG", b"SET", b"dir", b"/"),
        (b"FLUSHALL",),
        (b"GET",),
        (b"SET", b"ccache:" + KEY.encode()),
        (b"MIGRATE", b"ccache:" + KEY.encode()),
    ],
)
def test_nothing_but_objects_by_their_keys_is_asked(
    site: Site, stage_store: StoreServer, words: tuple[bytes, ...]
) -> None:
    with site.open(writer(stage_store)) as (client, _, _):
        assert client.ask(*words).startswith(b"-ERR ")
        assert client.get(KEY) == NOTHING, "the connection goes on"
    assert [path for _, path in stage_store.asked] == [f"/objects/{SCOPE}/{KEY[:2]}/{KEY[2:]}"]


@pytest.mark.parametrize(
    "sent", [b"GET / HTTP/1.1\r\n\r\n", b"*9\r\n", b"*3\r\n$3\r\nSET\r\n$%d\r\n" % (MOST + 1)]
)
def test_what_is_no_command_ends_the_connection(
    site: Site, stage_store: StoreServer, sent: bytes
) -> None:
    with site.open(writer(stage_store)) as (client, _, _):
        assert client.say(sent).startswith(b"-ERR ")
        assert client.say(b"") == b""
    assert stage_store.asked == []


def test_a_component_reaches_no_other_ones_objects(site: Site, stage_store: StoreServer) -> None:
    """Its build can store what it likes under every key."""
    with site.open(writer(stage_store), scope="lts.frr") as (client, _, _):
        client.put(KEY)
    with site.open(writer(stage_store)) as (client, _, _):
        assert client.get(KEY) == NOTHING
        assert client.ask(b"GET", b"ccache:lts.frr:" + KEY.encode()).startswith(b"-ERR ")


def test_nothing_is_removed_for_a_container(site: Site, stage_store: StoreServer) -> None:
    with site.open(writer(stage_store)) as (client, _, _):
        client.put(KEY)
    with site.open(writer(stage_store)) as (client, _, _):
        assert client.ask(b"DEL", b"ccache:" + KEY.encode()) == b":0\r\n"
    assert len(stage_store.files) == 1
    assert stage_store.count("DELETE") == 0


def fails(handler: Handler) -> bool:
    handler.answer(500)
    return True


def redirects(handler: Handler) -> bool:
    handler.answer(302, Location="http://169.254.169.254/latest")
    return True


def is_silent(handler: Handler) -> bool:
    handler.store.over.wait(20)
    return True


def sends_half(handler: Handler) -> bool:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000000")
    handler.end_headers()
    handler.wfile.write(OBJECT)
    handler.close_connection = True
    return True


def wants_a_password(handler: Handler) -> bool:
    handler.answer(401)
    return True


@pytest.mark.parametrize("spoil", [fails, redirects, is_silent, sends_half, wants_a_password])
def test_a_store_that_does_not_answer_is_asked_once(
    site: Site, stage_store: StoreServer, spoil: Callable[[Handler], bool]
) -> None:
    stage_store.spoil = spoil
    begun = time.monotonic()
    with site.open(writer(stage_store), HASTY) as (client, traffic, _):
        for _ in range(20):
            assert client.get(KEY) == NOTHING
            assert client.put(OTHER) == b"+OK\r\n"
    assert time.monotonic() - begun < busy(3)
    assert traffic.errors == 1
    assert stage_store.count("GET") == 1
    assert stage_store.count("PUT") == 0
    (warning,) = site.warnings
    assert "is not used in this run" in warning
    assert "everything is compiled here" in warning


def test_a_store_that_is_not_there_costs_one_attempt(site: Site) -> None:
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = door.getsockname()[1]
    for scheme in ("http", "redis"):
        site.said.truncate(0)
        cache = CompilerCache(f"{scheme}://127.0.0.1:{port}/", True)
        begun = time.monotonic()
        with site.open(cache) as (client, traffic, _):
            assert [client.get(KEY) for _ in range(50)] == [NOTHING] * 50
        assert time.monotonic() - begun < busy(1)
        assert traffic.errors == 1
        assert len(site.warnings) == 1
        assert "refused" in site.warnings[0]


def test_garbage_is_no_object_and_the_store_is_still_asked(
    site: Site, stage_store: StoreServer
) -> None:
    """One spoilt entry does not cost the others."""
    bad = stage_store.root / f"objects/{SCOPE}/{KEY[:2]}/{KEY[2:]}"
    bad.parent.mkdir(parents=True)
    bad.write_bytes(b"<html>sign in</html>")
    good = stage_store.root / f"objects/{SCOPE}/{OTHER[:2]}/{OTHER[2:]}"
    good.parent.mkdir(parents=True)
    good.write_bytes(OBJECT)
    with site.open(writer(stage_store)) as (client, traffic, _):
        assert client.get(KEY) == NOTHING
        assert client.get(OTHER) == BULK
        client.put(KEY)
    assert traffic.errors == 1
    assert bad.read_bytes() == OBJECT, "it is replaced"


def test_an_object_that_is_too_large_is_not_taken(site: Site, stage_store: StoreServer) -> None:
    path = stage_store.root / f"objects/{SCOPE}/{KEY[:2]}/{KEY[2:]}"
    path.parent.mkdir(parents=True)
    with path.open("wb") as file:
        file.truncate(MOST + 1)
    with site.open(reader(stage_store)) as (client, traffic, _):
        assert client.get(KEY) == NOTHING
    assert traffic.errors == 1


def test_a_store_that_takes_nothing_is_still_read(site: Site, stage_store: StoreServer) -> None:
    """Its disk is full, or the password is wrong."""
    path = stage_store.root / f"objects/{SCOPE}/{KEY[:2]}/{KEY[2:]}"
    path.parent.mkdir(parents=True)
    path.write_bytes(OBJECT)
    cache = replace(writer(stage_store), password=Password("ci:hunter-two-three"))
    with site.open(cache) as (client, _, _):
        client.put(OTHER)
        deadline = time.monotonic() + 20
        while not site.warnings and time.monotonic() < deadline:
            time.sleep(0.01)
        for _ in range(5):
            client.put(OTHER)
        assert client.get(KEY) == BULK
    assert stage_store.count("PUT") == 1
    (warning,) = site.warnings
    assert "nothing more is stored" in warning
    assert "401" in warning
    assert "hunter-two-three" not in site.said.getvalue()


def test_the_end_waits_for_what_is_to_be_stored_and_an_interrupt_does_not(
    site: Site, stage_store: StoreServer
) -> None:
    held = threading.Event()

    def waits(handler: Handler) -> bool:
        held.wait(20)
        return False

    stage_store.spoil = waits
    threading.Timer(0.5, held.set).start()
    with site.open(writer(stage_store), replace(QUICK, stall=20, answer=20)) as (client, _, _):
        client.put(KEY)
    assert len(stage_store.files) == 1
    held.clear()
    begun = time.monotonic()
    with site.open(writer(stage_store), replace(QUICK, stall=20, answer=20)) as (client, _, relay):
        client.put(OTHER)
        relay.close(at_once=True)
    assert time.monotonic() - begun < busy(2)
    held.set()


def test_a_deep_cache_has_a_socket_too(tmp_path: Path, stage_store: StoreServer) -> None:
    """unix(7) limits a socket's path to 107 bytes."""
    deep = tmp_path / ("d" * 100) / ("e" * 100)
    deep.mkdir(parents=True)
    with Site(deep).open(reader(stage_store)) as (client, _, _):
        assert client.get(KEY) == NOTHING


@dataclass
class Waits:
    """Makes a store answer late, but well.  ``seconds``: how late; ``method``: what."""

    seconds: float
    method: str

    def __call__(self, handler: Handler) -> bool:
        if handler.command == self.method:
            handler.store.over.wait(self.seconds)
        return False


def test_a_store_that_answers_slowly_is_given_up(
    site: Site, stage_store: StoreServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each answer alone is in time; all of them would take hours."""
    monkeypatch.setattr(relays, "GRACE", 0.5)
    monkeypatch.setattr(relays, "EACH", 0.05)
    stage_store.spoil = Waits(0.2, "GET")
    with site.open(writer(stage_store)) as (client, traffic, _):
        assert [client.get(KEY) for _ in range(50)] == [NOTHING] * 50
    assert stage_store.count("GET") <= 4
    assert traffic.errors == 0
    (warning,) = site.warnings
    assert "is not used in this run: it is too slow: " in warning


def test_the_end_does_not_wait_for_hours(
    site: Site, stage_store: StoreServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "AT_END", 0.3)
    stage_store.spoil = Waits(0.2, "PUT")
    begun = time.monotonic()
    with site.open(writer(stage_store)) as (client, traffic, relay):
        for number in range(200):
            assert client.put(f"{number:033}") == b"+OK\r\n"
    assert time.monotonic() - begun < busy(3)
    (warning,) = site.warnings
    left = int(warning.partition(" did not get ")[2].partition(" objects")[0])
    assert 200 - 4 * uploads.WORKERS <= left + traffic.stored <= 200
    relay.answers(SCOPE, traffic)((b"SET", NAME, OBJECT), RoomClaim(Room(0)))
    time.sleep(0.1)
    assert not any(KEY[2:] in path for _, path in stage_store.asked), "nothing more is taken"


def test_an_object_that_is_too_large_for_the_store_does_not_cost_the_others(
    site: Site, stage_store: StoreServer
) -> None:
    """As nginx answers with its own client_max_body_size (RFC 9110, 15.5.14)."""

    def limits(handler: Handler) -> bool:
        if int(handler.headers.get("Content-Length", 0)) <= len(OBJECT):
            return False
        handler.rfile.read(int(handler.headers["Content-Length"]))
        handler.answer(413)
        return True

    stage_store.spoil = limits
    with site.open(writer(stage_store)) as (client, traffic, _):
        client.put(KEY, OBJECT + b"x")
        deadline = time.monotonic() + 20
        while not traffic.errors and time.monotonic() < deadline:
            time.sleep(0.01)
        client.put(OTHER)
    assert traffic == RelayTraffic(stored=1, sent=len(OBJECT), errors=1)
    assert site.warnings == []


def test_a_container_stores_no_more_than_its_own_cache_has(
    site: Site, stage_store: StoreServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relays, "STORED", len(OBJECT))
    with site.open(writer(stage_store)) as (client, traffic, _):
        client.put(KEY)
        deadline = time.monotonic() + 20
        while not traffic.sent and time.monotonic() < deadline:
            time.sleep(0.01)
        assert client.put(OTHER) == b"+OK\r\n"
    assert traffic.stored == 1
    assert len(stage_store.files) == 1
