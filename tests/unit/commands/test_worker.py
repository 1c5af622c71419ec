"""What ``invoke worker`` takes for an address, a network and a number of jobs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_network
from pathlib import Path

import pytest

from builder.commands.worker import _allowed, _listen
from builder.engine import container
from builder.engine.location import Endpoint
from builder.errors import EnvironmentFailure, UsageError
from builder.farm import compiler, slots
from builder.farm.model import PORT
from tests.support.engine import peer as peers
from tests.support.engine.peer import Container, Peer, Say
from tests.support.farm import peers as farms


@pytest.mark.parametrize(
    ("words", "address"),
    [
        (None, ("127.0.0.1", PORT)),
        ("192.0.2.1", ("192.0.2.1", PORT)),
        ("192.0.2.1:4000", ("192.0.2.1", 4000)),
        ("[2001:db8::1]:4000", ("2001:db8::1", 4000)),
        ("build2.example.org", ("build2.example.org", PORT)),
    ],
)
def test_where_to_listen(words: str | None, address: tuple[str, int]) -> None:
    assert _listen(words) == address


@pytest.mark.parametrize("words", ["", ":4000", "a:0", "a:65536", "2001:db8::1", "a b", "a:x"])
def test_where_nobody_can_listen(words: str) -> None:
    with pytest.raises(UsageError, match="--listen"):
        _listen(words)


def test_who_may_use_it() -> None:
    assert _allowed(None) == (ip_network("127.0.0.0/8"), ip_network("::1/128"))
    assert _allowed("192.0.2.7,2001:db8::/64") == (
        ip_network("192.0.2.7/32"),
        ip_network("2001:db8::/64"),
    )
    assert _allowed("::ffff:192.0.2.0/120") == (ip_network("192.0.2.0/24"),)


@pytest.mark.parametrize(
    "words", ["", "build2", "192.0.2.7/24", "192.0.2.0/33", "*", "fe80::1%eth0"]
)
def test_who_is_nobody(words: str) -> None:
    with pytest.raises(UsageError, match="--allow") as refusal:
        _allowed(words)
    assert refusal.value.hint


@contextmanager
def engine_of(peer: Peer) -> Iterator[container.Engine]:
    engine = container.Engine(Endpoint(peer.url, "the test's engine"), "1.41")
    try:
        yield engine
    finally:
        engine.close()


@pytest.fixture
def peer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Peer]:
    monkeypatch.setattr(container, "OOM_SECONDS", 0.0)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    with peers.serve(tmp_path) as served:
        yield served


def serve_until_let_go(run: Container, say: Say) -> int:
    """As the worker's script: slots at the socket, until nobody holds the lifeline."""
    folder = run.mounts["/worker"]
    with (folder / compiler.LIFELINE).open("rb") as held, farms.slots_at(folder / slots.SOCKET):
        held.read()
    return 0


def test_a_compiler_has_no_network_and_ends_with_its_block(peer: Peer, tmp_path: Path) -> None:
    peer.program = serve_until_let_go
    with engine_of(peer) as engine:
        with compiler.running(
            "image", tmp_path / "c", 3, lambda spec, log: engine.run(spec, log=log)
        ) as made:
            assert made.slots.compile(farms.job(), 20).data == farms.right(farms.job())
            assert made.is_running
            (one,) = peer.made
            host = one.config["HostConfig"]
            assert host["NetworkMode"] == "none"
            assert host["ReadonlyRootfs"] is True
            assert host["CapDrop"] == ["ALL"]
            assert list(host["Tmpfs"]) == ["/tmp"]
            assert host["PidsLimit"] > 0
            assert host["Memory"] > 0
            assert all(mount["ReadOnly"] for mount in host["Mounts"])
            assert one.config["User"] not in ("", "0", "0:0")
        assert not made.is_running
        with pytest.raises(slots.NoSlot):
            made.slots.compile(farms.job(), 1)
    assert peer.containers == {}


def test_what_a_compiler_says_is_kept_in_part(
    peer: Peer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever has jobs done can let it say anything."""
    monkeypatch.setattr(compiler, "_LOG", 5000)

    def talk(run: Container, say: Say) -> int:
        for _ in range(10):
            say(peers.OUT, b"x" * 1000)
            say(peers.ERR, b"y" * 1000)
        return serve_until_let_go(run, say)

    peer.program = talk
    with (
        engine_of(peer) as engine,
        compiler.running(
            "image", tmp_path / "c", 1, lambda spec, log: engine.run(spec, log=log)
        ) as made,
    ):
        assert made.slots.compile(farms.job(), 20).data == farms.right(farms.job())
    assert (tmp_path / "c" / compiler.LOG).stat().st_size == 5000


def test_a_compiler_that_does_not_start_is_told_with_its_log(peer: Peer, tmp_path: Path) -> None:
    def fail(run: Container, say: Say) -> int:
        say(peers.OUT, b"/bin/sh: 1: distccd: not found\n")
        return 127

    peer.program = fail
    with (
        engine_of(peer) as engine,
        pytest.raises(EnvironmentFailure, match="does not start") as failure,
        compiler.running("image", tmp_path / "c", 1, lambda spec, log: engine.run(spec, log=log)),
    ):
        pass
    assert "distccd: not found" in failure.value.cause
    assert failure.value.log == tmp_path / "c" / compiler.LOG
