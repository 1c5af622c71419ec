"""A mirror that stops sending is given up in seconds, one that trickles in the time that is set."""

from __future__ import annotations

import io
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from builder.base import vault
from builder.base.bootstrap import bootstrap
from builder.base.method import Order, Patience
from builder.base.model import Yum, load_base
from builder.console import Console
from builder.engine.container import Engine
from builder.errors import SourceUnreachable
from tests.unit.base.test_base import SETTINGS, YUM, lend_sources

pytestmark = [pytest.mark.timeout(200)]
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"
QUICK = Patience(stalled=1, total=100)


@dataclass
class Mirror:
    """A server that sends a part of what it was asked for.

    ``pause``: seconds between single bytes that follow; None: nothing follows.
    """

    pause: float | None
    port: int = 0
    over: threading.Event = field(default_factory=threading.Event)

    def serve(self, listening: socket.socket) -> None:
        while not self.over.is_set():
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection:
            try:
                connection.recv(65536)
                connection.sendall(HEAD + b"x")
                while not self.over.wait(self.pause):
                    connection.sendall(b"x")
            except OSError:
                pass


@contextmanager
def serve(pause: float | None) -> Iterator[Mirror]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        mirror = Mirror(pause, listening.getsockname()[1])
        thread = threading.Thread(target=mirror.serve, args=(listening,), daemon=True)
        thread.start()
        try:
            yield mirror
        finally:
            mirror.over.set()
            listening.shutdown(socket.SHUT_RDWR)


def no_engine() -> Engine:
    pytest.fail("no engine may be asked for")


def order_of(tmp_path: Path, mirror: Mirror, patience: Patience) -> Order:
    """A root of Debian packages from the mirror."""
    (tmp_path / "base.toml").write_text(SETTINGS)
    for name in ("build.txt", "guest.txt"):
        (tmp_path / name).write_text("make\n")
    console = Console(io.StringIO(), interactive=False)
    target = tmp_path / "out" / "root.tar"
    log = tmp_path / "log"
    return Order(load_base(tmp_path), "build", target, console, log, no_engine, patience)


def lend(tmp_path: Path, mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"http://127.0.0.1:{mirror.port}/debian"
    text = f"Types: deb\nURIs: {url}\nSuites: bookworm\nComponents: main\n"
    lend_sources(tmp_path, text, monkeypatch)


def test_apt_gives_up_a_mirror_that_stops_sending(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve(None) as mirror:
        lend(tmp_path, mirror, monkeypatch)
        begun = time.monotonic()
        with pytest.raises(SourceUnreachable, match="Connection timed out") as caught:
            bootstrap(order_of(tmp_path, mirror, QUICK))
        assert time.monotonic() - begun < 60
    assert "could not be made" in caught.value.what
    assert list((tmp_path / "out").iterdir()) == []


def test_apt_is_ended_when_the_mirror_only_trickles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve(0.3) as mirror:
        lend(tmp_path, mirror, monkeypatch)
        with pytest.raises(SourceUnreachable, match="did not end within"):
            bootstrap(order_of(tmp_path, mirror, Patience(stalled=1, total=4)))
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("pause", [None, 0.1])
def test_dnf_gives_up_a_mirror_that_stops_or_trickles(tmp_path: Path, pause: float | None) -> None:
    base = tmp_path / "base"
    base.mkdir()
    for name in ("build.txt", "guest.txt", "key"):
        (base / name).write_text("rpm\n")
    (base / "base.toml").write_text(YUM)
    settings = load_base(base).settings
    assert isinstance(settings, Yum)
    with serve(pause) as mirror:
        url = f"http://127.0.0.1:{mirror.port}"
        config = vault.write_config(settings, url, tmp_path, QUICK)
        begun = time.monotonic()
        with pytest.raises(SourceUnreachable, match=r"(?i)timeout|too slow"):
            vault.bring(
                settings, config, ["rpm"], tmp_path / "rpms", tmp_path / "log", patience=QUICK
            )
        assert time.monotonic() - begun < 60
