"""What a worker lets in, and what a client may cost it."""

from __future__ import annotations

import os
import resource
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from ipaddress import ip_network
from pathlib import Path
from typing import NoReturn

import pytest

from builder.farm import greeting, serving
from builder.farm.line import PeerLine
from builder.farm.model import WorkerFailed
from builder.farm.serving import WorkerOffer, WorkerServer
from tests.support.clock import busy
from tests.support.farm import peers
from tests.support.farm.peers import IMAGE, OTHER, Site

JOB = peers.job()
SESSION = "5" * 32


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with ExitStack() as stack:
        yield Site(tmp_path, stack)


def connect(server: WorkerServer) -> socket.socket:
    host, port = server.server_address[:2]
    made = socket.create_connection((str(host), int(port)), busy(5))
    made.settimeout(busy(5))
    return made


def line(connection: socket.socket) -> PeerLine:
    return PeerLine(connection, busy(5))


def nobody(session: str) -> NoReturn:
    raise AssertionError(session)


def test_only_allowed_addresses_are_let_in() -> None:
    networks = (ip_network("192.0.2.0/24"), ip_network("2001:db8::/64"))
    offer = WorkerOffer(nobody, IMAGE.digest, 1, networks)
    for address in ("192.0.2.7", "2001:db8::7", "::ffff:192.0.2.7", "2001:db8::7%eth0"):
        assert offer.allows(address)
    for address in ("192.0.3.7", "2001:db8:1::7", "::ffff:192.0.3.7", "127.0.0.1"):
        assert not offer.allows(address)


@pytest.mark.parametrize(
    "said",
    [
        *(b"", b"\n", b"DIST00000002", b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 500),
        *(b"lvs-worker 2 0123\n", b"lvs-worker 1 " + IMAGE.digest.encode() + b"\n"),
        b"lvs-worker 2 " + IMAGE.digest.encode() + b"\n",
        b"lvs-worker 2 " + IMAGE.digest.encode() + b" " + IMAGE.digest.encode() + b"\n",
    ],
)
def test_who_does_not_greet_is_told_nothing(site: Site, said: bytes) -> None:
    _, peer, server = site.worker()
    with connect(server) as client:
        with suppress(OSError):  # it has ended before all was sent
            client.sendall(said)
            client.shutdown(socket.SHUT_WR)
        with suppress(ConnectionError):
            assert client.recv(100) == b""
    assert peer.jobs == []


def test_another_image_is_named(site: Site) -> None:
    _, _, server = site.worker()
    with connect(server) as client, pytest.raises(WorkerFailed, match=IMAGE.digest[:12]):
        greeting.ask(line(client), OTHER.digest, SESSION)


def test_slots_are_free_again_whatever_a_client_does(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "SEND_SECONDS", 0.5)
    _, peer, server = site.worker(jobs=1, offered=1)
    for said in (b"", JOB[:30], b"DIST", JOB):
        with connect(server) as client:
            _ask_when_free(client, server)
            client.sendall(said)
    with connect(server) as held:  # says nothing, and does not leave
        _ask_when_free(held, server)
        with connect(server) as client:
            _ask_when_free(client, server)
            client.sendall(JOB)
            assert line(client).read(len(peers.right(JOB))) == peers.right(JOB)
    assert peer.jobs[-1] == JOB


def _ask_when_free(client: socket.socket, server: WorkerServer) -> None:
    deadline = time.monotonic() + busy(5)
    while not server.slots.acquire(blocking=False):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    server.slots.release()
    greeting.ask(line(client), IMAGE.digest, SESSION)


def test_strangers_that_only_wait_do_not_keep_others_out_for_long(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "GREET_SECONDS", 0.3)
    _, _, server = site.worker()
    with ExitStack() as waiting:
        for _ in range(200):
            waiting.enter_context(connect(server))
        deadline = time.monotonic() + busy(5)
        while time.monotonic() < deadline:
            with connect(server) as client:
                try:
                    greeting.ask(line(client), IMAGE.digest, SESSION)
                except (WorkerFailed, OSError):
                    time.sleep(0.05)
                    continue
                return
    pytest.fail("nobody was let in")


def test_a_process_with_many_open_files_takes_slots(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(2048, hard), hard))
    try:
        with ExitStack() as stack:
            held = [os.dup(0) for _ in range(1100)]
            for one in held:
                stack.callback(os.close, one)
            _, slots = stack.enter_context(peers.compiling(tmp_path / "c"))
            assert slots.compile(JOB, 20).data == peers.right(JOB)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_peer_that_sends_byte_by_byte_has_no_more_time_than_others() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        slow = PeerLine(ours, 0.2)
        theirs.sendall(b"x")
        assert slow.read(1) == b"x"
        time.sleep(0.25)
        theirs.sendall(b"x")
        with pytest.raises(TimeoutError):
            slow.read(1)
