"""A container that wants to harm the process of the relay."""

from __future__ import annotations

import array
import contextlib
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from builder.farm import distcc
from builder.relay.door import ROOM
from builder.relay.model import MOST
from tests.support.clock import busy
from tests.support.relay.client import KEY, OBJECT, Client, connect
from tests.support.relay.process import RelayProcess, start
from tests.support.remote.store import StoreServer

NAME = b"ccache:" + KEY.encode()
NOWHERE = "http://127.0.0.1:9/"
MIB = 1 << 20
BESIDE = 200
"""MiB of a process with a relay, and with threads, beside the objects of its connections."""


@contextmanager
def open_many(path: Path, count: int) -> Iterator[list[Client]]:
    """So many connections; who comes too fast waits until the earlier ones are taken."""
    with ExitStack() as stack:
        made: list[Client] = []
        while len(made) < count:
            try:
                made.append(stack.enter_context(connect(path)))
            except BlockingIOError:
                time.sleep(0.01)
        for client in made:
            client.connection.settimeout(0.1)
        yield made


def has_room(relay: RelayProcess) -> bool:
    return relay.use().memory < ROOM // MIB + BESIDE


@pytest.mark.parametrize("large", [1, 3], ids=["names", "objects"])
def test_unfinished_commands_do_not_fill_the_memory(tmp_path: Path, large: int) -> None:
    """Each connection sends all but the last byte of what a command may have."""
    count = 2 * ROOM // MOST
    word = b"$%d\r\n" % MOST + bytes(MOST)
    with start(NOWHERE, tmp_path / "door") as relay, open_many(relay.socket, count) as clients:
        for client in clients:
            with contextlib.suppress(OSError):  # it is not taken
                client.connection.sendall(b"*4\r\n")
                if large > 1:
                    client.connection.sendall(b"$3\r\nSET\r\n$%d\r\n%s\r\n" % (len(NAME), NAME))
                client.connection.sendall(word)
        assert has_room(relay)
        assert relay.end().threads == 1, "no connection stays"


def arguments(count: int, size: int) -> bytes:
    """The beginning of a job of distcc with so many arguments."""
    return b"DIST00000002ARGC%08x" % count + (b"ARGV%08x" % size + bytes(size)) * count


JOBS = {
    "many arguments": (1000, arguments(distcc.ARGUMENTS, 100)),
    "long arguments": (1000, arguments(4, distcc.MOST_ARGUMENTS // 5)),
    "too long arguments": (100, arguments(100, distcc.MOST_ARGUMENTS)),
    "sources": (24, arguments(0, 0) + b"DOTI%08x" % distcc.MOST_SOURCE + bytes(63 << 20)),
}
"""Connections, and what each of them sends: a job that does not end."""


@pytest.mark.parametrize("kind", JOBS)
def test_unfinished_jobs_do_not_fill_the_memory(tmp_path: Path, kind: str) -> None:
    count, sent = JOBS[kind]
    with start(NOWHERE, tmp_path / "door") as relay, open_many(relay.socket, count) as clients:
        for client in clients:
            with contextlib.suppress(OSError):  # it is not taken, or ended
                client.connection.sendall(sent)
        assert has_room(relay)
        assert relay.end().threads == 1, "no connection stays"


def test_answers_that_nobody_reads_do_not_fill_the_memory(
    tmp_path: Path, stage_store: StoreServer
) -> None:
    path = stage_store.root / f"lts.kernel/{KEY[:2]}/{KEY[2:]}"
    path.parent.mkdir(parents=True)
    path.write_bytes(OBJECT + bytes(MOST - len(OBJECT)))
    with (
        start(stage_store.url, tmp_path / "door") as relay,
        open_many(relay.socket, 2 * ROOM // MOST) as clients,
    ):
        for client in clients:
            client.connection.sendall(b"*2\r\n$3\r\nGET\r\n$%d\r\n%s\r\n" % (len(NAME), NAME))
        deadline = time.monotonic() + busy(20)
        while len(stage_store.asked) < ROOM // MOST // 2 and time.monotonic() < deadline:
            time.sleep(0.1)
        time.sleep(2)
        assert has_room(relay)


def test_connections_do_not_use_up_the_open_files(tmp_path: Path) -> None:
    """Every other stage of the run has to open files, too."""
    with (
        start(NOWHERE, tmp_path / "door", 256) as relay,
        open_many(relay.socket, 300) as clients,
    ):
        time.sleep(0.5)
        before = relay.use()
        time.sleep(1)
        after = relay.use()
        assert after.trouble == ""
        assert after.seconds - before.seconds < 0.5, "it waits, and does not try again and again"
        for client in clients[:20]:
            client.connection.settimeout(60)
            assert client.get(KEY) == b"$-1\r\n"
        assert relay.end().threads == 1


def test_a_connection_that_holds_itself_ends_with_its_door(tmp_path: Path) -> None:
    """Its one end is on its way to the other end, which reads nothing: unix(7), SCM_RIGHTS.

    So it outlives the container, and whoever writes to it would wait for an hour.
    """
    with start(NOWHERE, tmp_path / "door") as relay:
        with connect(relay.socket) as client:
            client.connection.sendall(b"*1\r\n$1\r\nx\r\n" * 2000)
            time.sleep(1)  # its answers fill the socket, so that it reads nothing more
            own = array.array("i", [client.connection.fileno()])
            client.connection.sendmsg([b"*"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, own)])
        assert relay.use().threads > 2
        assert relay.end().threads == 1
