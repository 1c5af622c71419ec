"""Without a network a fetch ends in seconds, and says what every location answered."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import msgspec
import pytest

from builder.errors import Interrupted, SourceUnreachable
from builder.source.model import Bounds
from builder.source.reach import Reach
from tests.support.clock import busy
from tests.support.source.nameless import run_nameless
from tests.support.source.server import BODY, Habits
from tests.support.source.site import QUICK, Site, source_of

ROOT = Path(__file__).resolve().parents[3]
# All that is asked of one's patience, but for the one bound that counts without a network.
PATIENT = msgspec.structs.replace(Bounds(), reach=1.0)
CLOSED = "http://127.0.0.1:1/x"
NOWHERE = "https://no-such-host.invalid/x"


@pytest.fixture
def black_hole() -> Iterator[int]:
    """The port of a server whose queue is full: the packets of further clients vanish."""
    with ExitStack() as stack:
        server = stack.enter_context(socket.socket())
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for _ in range(4):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(server.getsockname())
        yield server.getsockname()[1]


def test_every_location_down_is_told_within_the_bound(site: Site, black_hole: int) -> None:
    hole = f"//127.0.0.1:{black_hole}"
    urls = [f"ftp:{hole}/x", CLOSED, f"http:{hole}/y", NOWHERE]
    source = msgspec.structs.replace(source_of(*urls), alternative="or build something else")
    began = time.monotonic()
    with pytest.raises(SourceUnreachable) as failure:
        site.fetch(source, bounds=PATIENT)
    assert time.monotonic() - began < busy(3)
    lines = failure.value.cause.splitlines()
    assert [line.startswith(f"{url}: ") for line, url in zip(lines, urls, strict=True)] == [
        True
    ] * 4
    assert f"no connection to 127.0.0.1:{black_hole} within 1 s" in lines[0]
    assert "no connection to 127.0.0.1:1: Connection refused" in lines[1]
    assert "no connection to no-such-host.invalid:443" in lines[3]
    assert f"put tool.tar into {site.project.dropin}; or build something else" in failure.value.hint


def test_a_dead_first_location_does_not_use_up_the_time_of_the_second(
    site: Site, server: Habits, black_hole: int
) -> None:
    source = source_of(f"http://127.0.0.1:{black_hole}/x", server.url("/good/a"))
    got = site.fetch(source, bounds=PATIENT)
    assert got.path.read_bytes() == BODY


def test_a_server_that_answers_is_the_only_one_asked(site: Site, server: Habits) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        other.setblocking(False)
        port = other.getsockname()[1]
        site.fetch(source_of(server.url("/good/a"), f"http://127.0.0.1:{port}/x"))
        with pytest.raises(BlockingIOError):
            other.accept()


def _refuse_all(proxy: socket.socket) -> None:
    """Take connections until told otherwise, and answer what asks for something."""
    with proxy:
        while True:
            line, _ = proxy.accept()
            with line:
                asked = line.recv(4096)
                if asked.startswith(b"QUIT"):
                    return
                if asked:
                    line.sendall(b"HTTP/1.1 403 Not through here\r\nContent-Length: 0\r\n\r\n")


def test_a_proxy_is_reached_in_the_servers_place(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = socket.create_server(("127.0.0.1", 0))
    place = proxy.getsockname()
    served = threading.Thread(target=_refuse_all, args=(proxy,), daemon=True)
    served.start()
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{place[1]}")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with pytest.raises(SourceUnreachable, match="HTTP 403 Not through here"):
        site.fetch(source_of("http://no-such-host.invalid/x"))
    with socket.create_connection(place) as line:
        line.sendall(b"QUIT")
    served.join(5)
    monkeypatch.setenv("http_proxy", "127.0.0.1:1")
    with pytest.raises(SourceUnreachable, match=r"no connection to the proxy 127\.0\.0\.1:1: "):
        site.fetch(source_of("http://no-such-host.invalid/x"))


@pytest.mark.parametrize(
    "url", ["http:///x", "http://a:b/x", "http://127.0.0.1:99999/x", "http://"]
)
def test_an_address_that_is_none_is_an_answer(site: Site, url: str) -> None:
    with pytest.raises(SourceUnreachable) as failure:
        site.fetch(source_of(url), bounds=msgspec.structs.replace(QUICK, attempts=1))
    assert failure.value.cause.startswith(f"{url}: ")


def test_a_stop_ends_the_wait(black_hole: int) -> None:
    stop = threading.Event()
    threading.Timer(0.1, stop.set).start()
    url = f"http://127.0.0.1:{black_hole}/x"
    with pytest.raises(Interrupted):
        Reach([url], 30, stop).demand(url)


LOST = """
import socket, sys, time
from pathlib import Path
from builder.errors import SourceUnreachable
from builder.source.model import Bounds
from tests.support.clock import busy
from tests.support.source.site import Site, source_of
silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
silent.bind(("127.0.0.1", 53))
began = time.monotonic()
try:
    Site(Path(sys.argv[1])).fetch(source_of("http://a.example/x"), bounds=Bounds(reach=1.0))
except SourceUnreachable as error:
    print(error.cause)
print(time.monotonic() - began < busy(3))
"""


def test_a_name_server_that_is_silent_does_not_hold_it_up(tmp_path: Path) -> None:
    told = run_nameless(LOST, tmp_path)
    assert "no connection to a.example:80 within 1 s" in told
    assert told.endswith("True\n")
