"""What one container's connections may use, and that none of them outlives its door."""

from __future__ import annotations

import io
import resource
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

import pytest

from builder.console import Console
from builder.relay import door as doors
from builder.relay import room as rooms
from builder.relay.model import CompilerCache
from builder.relay.relay import Relay
from builder.relay.room import Crowded, Room
from builder.remote.pace import StorePace
from tests.support.clock import busy
from tests.support.relay.client import KEY, Client, connect
from tests.support.relay.doors import door_to

NOWHERE = CompilerCache("http://127.0.0.1:9/", True)
NOTHING = b"$-1\r\n"
HEAD = b"*3\r\n$3\r\nSET\r\n$%d\r\nccache:%s\r\n" % (len(KEY) + 7, KEY.encode())
LARGE = 100_000


@contextmanager
def door(folder: Path) -> Iterator[Path]:
    """The socket of a door that is open until the block ends."""
    relay = Relay(NOWHERE, Console(io.StringIO(), interactive=False))
    with door_to(relay, folder / "door") as (path, _):
        yield path
    relay.close()


def ended(client: Client) -> bool:
    client.connection.settimeout(busy(5))
    try:
        return client.stream.read(1) == b""
    except ConnectionError:
        return True


def test_more_connections_than_are_taken_are_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doors, "CONNECTIONS", 2)
    with door(tmp_path) as path, connect(path) as one:
        with connect(path) as two:
            assert (one.get(KEY), two.get(KEY)) == (NOTHING, NOTHING)
            with connect(path) as third:
                assert third.get(KEY) == b""
            assert one.get(KEY) == NOTHING
        deadline = time.monotonic() + busy(5)
        while time.monotonic() < deadline:
            with connect(path) as third:
                if third.get(KEY) == NOTHING:
                    return
        pytest.fail("the place of a connection that has ended is not free")


@pytest.mark.parametrize(("soft", "most"), [(1024, 128), (1 << 20, 1024), (-1, 1024)])
def test_a_container_has_a_part_of_the_open_files(
    monkeypatch: pytest.MonkeyPatch, soft: int, most: int
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, -1))
    assert doors.most_connections() == most


def test_every_connection_ends_with_its_door(tmp_path: Path) -> None:
    """One that waits, one in the middle of a command, and one whose answers nobody reads."""
    before = threading.active_count()
    with door(tmp_path) as path:
        clients = [connect(path) for _ in range(3)]
        waits, half, deaf = (one.__enter__() for one in clients)
        assert waits.get(KEY) == NOTHING
        half.connection.sendall(HEAD + b"$%d\r\nx" % LARGE)
        deaf.connection.sendall(b"*1\r\n$1\r\nx\r\n" * 2000)
        assert deaf.stream.readline().startswith(b"-ERR ")
    assert threading.active_count() <= before
    assert ended(waits)
    assert ended(half)
    for one in clients:
        one.__exit__(None, None, None)


class NotedRoom(rooms.Room):
    """Counts the bytes that are held."""

    made: ClassVar[list[NotedRoom]] = []

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.held = 0
        self.made.append(self)

    def take(self, count: int) -> None:
        super().take(count)
        self.held += count


def test_large_objects_wait_for_each_other_and_not_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doors, "ROOM", 2 * LARGE)
    monkeypatch.setattr(doors, "Room", NotedRoom)
    monkeypatch.setattr(rooms, "PATIENCE", 0.2)
    word = b"$%d\r\n%s" % (LARGE, bytes(LARGE))
    with door(tmp_path) as path, connect(path) as one, connect(path) as two, connect(path) as three:
        for client in (one, two):
            client.connection.sendall(HEAD + word)
        deadline = time.monotonic() + busy(5)
        while NotedRoom.made[-1].held < 2 * LARGE:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert three.say(HEAD + b"$%d\r\n" % LARGE) == b"-ERR too many large objects at a time\r\n"
        assert ended(three)
        assert one.say(b"\r\n") == b"+OK\r\n"
        assert one.say(HEAD + word + b"\r\n") == b"+OK\r\n", "there is room again"


def test_a_word_that_is_no_object_is_a_short_one(tmp_path: Path) -> None:
    with door(tmp_path) as path, connect(path) as client:
        assert client.say(b"*3\r\n$%d\r\n" % LARGE).startswith(b"-ERR ")
        assert ended(client)


def test_a_process_without_open_files_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would ask for the next connection again and again."""
    tries = []

    def fails(_: socket.socket) -> None:
        tries.append(time.monotonic())
        raise OSError(24, "Too many open files")

    with door(tmp_path) as path:
        monkeypatch.setattr(socket.socket, "accept", fails)
        with connect(path):
            time.sleep(0.5)
        monkeypatch.undo()
        assert 1 <= len(tries) < 10
        with connect(path) as client:
            assert client.get(KEY) == NOTHING


def test_room_that_is_returned_is_taken_by_who_waits() -> None:
    room, begun = Room(10), time.monotonic()
    with room.claim() as one, room.claim() as two:
        one.hold(8)
        one.hold(6)
        threading.Timer(0.1, one.hold, (0,)).start()
        two.hold(10)
    assert time.monotonic() - begun >= 0.1
    with room.claim() as one:
        one.hold(10)


def test_nobody_waits_in_a_room_that_is_closed() -> None:
    room, begun = Room(10), time.monotonic()
    with room.claim() as one:
        one.hold(10)
        threading.Timer(0.1, room.close).start()
        with pytest.raises(Crowded), room.claim() as two:
            two.hold(1)
    assert time.monotonic() - begun < busy(3)


def test_a_store_is_too_slow_only_when_all_of_its_answers_are() -> None:
    pace = StorePace(grace=20, each=1)
    assert not pace.add(4.9)
    assert not any(pace.add(1.0) for _ in range(1000))
    assert not any(pace.add(4.9) for _ in range(3))
    told = [pace.add(4.9) for _ in range(3)]
    assert told[-1] == "it is too slow: 1007 answers took 1034 s together"
