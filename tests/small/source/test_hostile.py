"""Whatever a peer sends, a transfer ends in time, in little memory and in an answer."""

from __future__ import annotations

import random
import resource
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from builder.errors import Interrupted, SourceUnreachable, VerificationError
from builder.source.model import Bounds
from builder.source.probe import probe
from tests.support.clock import busy
from tests.support.source.nameless import run_nameless
from tests.support.source.peer import (
    DRIP,
    Conversation,
    after_request,
    answering,
    at_once,
    ftp,
    listen,
)
from tests.support.source.site import Site, source_of

# Nothing but the whole time is short.
PATIENT = Bounds(connect=30, stall=30, total=0.2, attempts=1, backoff=0.01, reach=30)
ENOUGH = Bounds(connect=30, stall=30, total=20, attempts=1, backoff=0.01, reach=30)
LONG = Bounds(connect=30, stall=30, total=600, attempts=1, backoff=0.01, reach=30)
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
REDIRECT = b"HTTP/1.1 302 Found\r\nLocation: /x\r\n"
LOGIN = (
    (b"USER", b"331 password\r\n"),
    (b"PASS", b"230 in\r\n"),
    (b"TYPE", b"200 yes\r\n"),
)
SIZED = (*LOGIN, (b"SIZE", b"213 1000\r\n"), (b"MDTM", b"213 20200101000000\r\n"))

SLOW: dict[str, tuple[str, Conversation]] = {
    "no answer": ("http", after_request()),
    "a status line, byte by byte": ("http", after_request(then=b"H", every=DRIP)),
    "100 Continue": ("http", after_request(then=b"HTTP/1.1 100 Continue\r\n\r\n", every=DRIP)),
    "headers, line by line": ("http", after_request(OK, then=b"A: b\r\n", every=DRIP)),
    "a header, byte by byte": ("http", after_request(OK, b"A: ", then=b"b", every=DRIP)),
    "a redirect's headers": ("http", after_request(REDIRECT, then=b"A: b\r\n", every=DRIP)),
    "a body, byte by byte": ("http", after_request(OK, b"\r\n", then=b"x", every=DRIP)),
    "a chunk's extension": ("http", after_request(CHUNKED, b"1;", then=b"x", every=DRIP)),
    "a chunk's end": ("http", after_request(CHUNKED, b"1\r\nx")),
    "a trailer": ("http", after_request(CHUNKED, b"0\r\n", then=b"A: b\r\n", every=DRIP)),
    "a handshake": ("https", at_once()),
    "a handshake, byte by byte": (
        "https",
        at_once(b"\x16\x03\x03\x40\x00", then=b"\2", every=DRIP),
    ),
    "no greeting": ("ftp", at_once()),
    "a greeting, byte by byte": ("ftp", at_once(b"220 ", then=b"x", every=DRIP)),
    "a greeting of many lines": ("ftp", at_once(b"220-x\r\n", then=b"220-x\r\n", every=DRIP)),
    "a reply to USER": ("ftp", ftp(then=b"331-x\r\n", every=DRIP)),
    "no reply to PASV": ("ftp", ftp(*SIZED)),
    "a reply to SIZE, byte by byte": ("ftp", ftp(*LOGIN, then=b"2", every=DRIP)),
}
FAST: dict[str, tuple[str, Conversation]] = {
    "100 Continue": ("http", after_request(then=b"HTTP/1.1 100 Continue\r\n\r\n" * 99)),
    "a status line": ("http", after_request(then=b"H" * 4096)),
    "headers": ("http", after_request(OK, then=b"A: b\r\n" * 99)),
    "long headers": ("http", after_request(OK, then=b"A: " + b"b" * 60000 + b"\r\n")),
    "a redirect's body": ("http", after_request(REDIRECT, b"\r\n", then=b"x" * 65536)),
    "a sized redirect's body": (
        "http",
        after_request(REDIRECT, b"Content-Length: 99999999999\r\n\r\n", then=b"x" * 65536),
    ),
    "a chunk's extension": ("http", after_request(CHUNKED, b"1;", then=b"x" * 4096)),
    "extensions": ("http", after_request(CHUNKED, then=b"1;" + b"y" * 60000 + b"\r\nx\r\n")),
    "trailers": ("http", after_request(CHUNKED, b"0\r\n", then=b"A: b\r\n" * 99)),
    "a body": ("http", after_request(OK, b"\r\n", then=b"x" * 65536)),
    "a greeting": ("ftp", at_once(b"220-x\r\n", then=b"220-x\r\n" * 99)),
    "a greeting in one line": ("ftp", at_once(b"220 ", then=b"x" * 4096)),
    "a reply": ("ftp", ftp(*LOGIN, then=b"213-x\r\n" * 99)),
}


@pytest.mark.parametrize("name", SLOW)
def test_time_is_up_in_every_phase(site: Site, name: str) -> None:
    scheme, conversation = SLOW[name]
    with listen(conversation) as port:
        began = time.monotonic()
        with pytest.raises(SourceUnreachable, match=r"not whole after 0\.2 s"):
            site.fetch(source_of(f"{scheme}://127.0.0.1:{port}/x"), bounds=PATIENT)
        assert time.monotonic() - began < busy(2)


@pytest.mark.parametrize("name", SLOW)
def test_a_stop_is_heard_in_every_phase(site: Site, name: str) -> None:
    scheme, conversation = SLOW[name]
    stop = threading.Event()
    with listen(conversation) as port:
        timer = threading.Timer(0.1, stop.set)
        timer.start()
        began = time.monotonic()
        with pytest.raises(Interrupted):
            site.fetch(source_of(f"{scheme}://127.0.0.1:{port}/x"), bounds=LONG, stop=stop)
        assert time.monotonic() - began < busy(2)
        timer.join()


@pytest.mark.parametrize("name", FAST)
def test_what_never_ends_is_given_up_in_little_memory(site: Site, name: str) -> None:
    scheme, conversation = FAST[name]
    with listen(conversation) as port:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # KiB
        began = time.monotonic()
        with pytest.raises(SourceUnreachable) as failure:
            url = f"{scheme}://127.0.0.1:{port}/x"
            site.fetch(source_of(url, max_bytes=1 << 20), bounds=LONG)
        assert time.monotonic() - began < busy(5)
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10
    (told,) = failure.value.cause.splitlines()
    assert len(told) < 400


@pytest.mark.parametrize("name", ["no answer", "100 Continue", "headers, line by line"])
def test_a_proxy_may_be_as_bad(site: Site, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    _, conversation = SLOW[name]
    for variable in ("no_proxy", "NO_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    with listen(conversation) as port:
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{port}")
        with pytest.raises(SourceUnreachable, match=r"not whole after 0\.2 s|100 Continue"):
            site.fetch(source_of("https://host.invalid/x"), bounds=PATIENT)


LOST = """
import socket, sys, threading, time
from pathlib import Path
from builder.errors import Interrupted, SourceUnreachable, VerificationError
from builder.source.model import Bounds
from tests.support.clock import busy
from tests.support.source.peer import answering, listen
from tests.support.source.site import Site, source_of
silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
silent.bind(("127.0.0.1", 53))
site = Site(Path(sys.argv[1]))
head = b"HTTP/1.1 302 Found\\r\\nLocation: http://a.example/x\\r\\n\\r\\n"
with listen(answering(head)) as port:
    source = source_of(f"http://127.0.0.1:{port}/x")
    began = time.monotonic()
    try:
        site.fetch(source, bounds=Bounds(total=0.3))
    except SourceUnreachable as error:
        print(error.cause)
    stop = threading.Event()
    threading.Timer(0.3, stop.set).start()
    try:
        site.fetch(source, stop=stop, bounds=Bounds())
    except Interrupted as error:
        print(error)
print(time.monotonic() - began < busy(3))
"""


def test_a_redirect_to_a_name_that_nobody_resolves_is_bounded(tmp_path: Path) -> None:
    told = run_nameless(LOST, tmp_path)
    assert "not whole after 0.3 s" in told
    assert "was stopped" in told
    assert told.endswith("True\n")


@pytest.mark.parametrize(
    "name", ["no answer", "a redirect's headers", "a handshake", "no greeting"]
)
def test_the_doctor_looks_no_longer_than_it_says(site: Site, name: str) -> None:
    scheme, conversation = SLOW[name]
    with listen(conversation) as port:
        began = time.monotonic()
        with pytest.raises(OSError, match=r"after 0\.3 s"):
            probe(f"{scheme}://127.0.0.1:{port}/x", site.root, seconds=0.3)
        assert time.monotonic() - began < busy(2)


BIG = b"9" * 5000


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (OK + b"Content-Length: -1\r\n", "not a length"),
        (OK + b"Content-Length: 9e9\r\n", "not a length"),
        (OK + b"Content-Length: 1_0\r\n", "not a length"),
        (OK + b"Content-Length: \xb2\r\n", "not a length"),
        (OK + b"Content-Length: " + BIG + b"\r\n", "not a length"),
        (OK + b"Content-Length: 3\r\nContent-Length: 4\r\n", "Content-Length"),
        (b"HTTP/1.1 206 Partial\r\nContent-Range: bytes 5-" + BIG + b"/*\r\n", "HTTP 206"),
        (b"HTTP/1.1 2e2 OK\r\n", "does not answer in HTTP: HTTP/1.1 2e2 OK"),
        (b"HTTP/9.9 200 OK\r\n", "UnknownProtocol"),
        (b"\x00\xff\x1b[2J\r\n", "does not answer in HTTP"),
        (b"HTTP/1.1 404 \x1b[31mgone\xe2\x80\xae\r\n", r"HTTP 404 \x1b[31mgone"),
        (b"HTTP/1.1 503 x\r\nRetry-After: " + BIG + b"\r\n", "HTTP 503"),
        (b"HTTP/1.1 503 x\r\nRetry-After: Mon, 01 Jan " + BIG + b" 00:00:00 GMT\r\n", "HTTP 503"),
        (b"HTTP/1.1 503 x\r\nRetry-After: 1 Jan 2020 00:00:00 +999999999\r\n", "HTTP 503"),
        (b"HTTP/1.1 302 x\r\nLocation: http://[::1/x\r\n", "malformed"),
        (b"HTTP/1.1 302 x\r\nLocation: http://h:port/x\r\n", "malformed"),
        (b"HTTP/1.1 302 x\r\nLocation: http://h:99999/x\r\n", "malformed"),
        (b"HTTP/1.1 302 x\r\nLocation: http://h:0/x\r\n", "malformed"),
        (b"HTTP/1.1 302 x\r\nLocation: http:///x\r\n", "redirects"),
        (b"HTTP/1.1 302 x\r\nLocation: http://" + b"a" * 70 + b"/x\r\n", "not a host's name"),
        (b"HTTP/1.1 302 x\r\nLocation: http://a..b\xff/x\r\n", "a..b%FF"),
        (b"HTTP/1.1 302 x\r\nLocation: gopher://h/\x1b[2J\r\n", "not a web address"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n-5\r\n", "chunked answer is cut or malformed"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", "chunked answer is cut or malformed"),
    ],
    ids=range(24),
)
def test_a_malformed_head_is_an_answer(site: Site, head: bytes, words: str) -> None:
    with (
        listen(answering(head + b"\r\n", b"abc")) as port,
        pytest.raises(SourceUnreachable) as failure,
    ):
        site.fetch(source_of(f"http://127.0.0.1:{port}/x"), bounds=ENOUGH)
    assert words in failure.value.cause
    assert len(failure.value.cause.splitlines()) == 1


@pytest.mark.parametrize(
    ("dialogue", "words"),
    [
        (((b"", b"\xff\x1b[2J\r\n"),), r"\xff\x1b[2J"),
        (((b"", b"220\r\n"), (b"USER", b"\r\n")), "FTP"),
        ((*LOGIN, (b"SIZE", b"213 " + BIG + b"\r\n")), "FTP"),
        ((*LOGIN, (b"SIZE", b"213 -5\r\n")), "FTP"),
        ((*SIZED, (b"PASV", b"227 (1,2,3)\r\n")), "227"),
        ((*SIZED, (b"PASV", b"227 (127,0,0,1,999,999)\r\n")), "not a port"),
        ((*SIZED, (b"PASV", b"227 (127,0,0,1,0,0)\r\n")), "not a port"),
        ((*SIZED, (b"PASV", b"227 (" + b"9," * 3000 + b"9)\r\n")), "FTP"),
    ],
    ids=range(8),
)
def test_a_malformed_reply_is_an_answer(
    site: Site, dialogue: tuple[tuple[bytes, bytes], ...], words: str
) -> None:
    with listen(ftp(*dialogue)) as port, pytest.raises(SourceUnreachable) as failure:
        site.fetch(source_of(f"ftp://127.0.0.1:{port}/x"), bounds=ENOUGH)
    assert words in failure.value.cause
    assert len(failure.value.cause.splitlines()) == 1


@pytest.mark.parametrize(
    "rest",
    [
        *("://[::1/x", "://[::1]x/y", "://[]/x", "://h:port/x", "://h:-1/x", "://h:99999/x"),
        *("://", ":", ":x", ":///x", "://\x00/x", "://a..b/x", "://" + "a" * 300, "://h\n/x"),
        *("://\u2028/x", "://%00/x", "://user:p@ss@/x", "://[v1.x]/x"),
    ],
)
@pytest.mark.parametrize("scheme", ["http", "HTTPS", "ftp"])
def test_a_malformed_address_is_an_answer(site: Site, scheme: str, rest: str) -> None:
    bounds = Bounds(connect=0.2, stall=0.2, total=0.4, attempts=1, reach=0.2)
    with pytest.raises(SourceUnreachable):
        site.fetch(source_of(f"{scheme}{rest}"), bounds=bounds)
    with pytest.raises(OSError):
        probe(f"{scheme}{rest}", site.root, seconds=0.2)


def _mutants(seed: int, count: int) -> Callable[[], bytes]:
    """Answers with a few bytes of each changed, removed or repeated."""
    chance = random.Random(seed)  # noqa: S311 - the same in every run
    whole = (
        OK + b'ETag: "a"\r\nContent-Length: 3\r\n\r\nabc',
        CHUNKED + b"3;x=y\r\nabc\r\n0\r\nA: b\r\n\r\n",
        REDIRECT + b"Content-Length: 0\r\nSet-Cookie: a=b; expires=Thu, 01 Jan 2026\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"Last-Modified: Thu\r\nContent-Length: 1\r\n\r\nx",
        b"HTTP/1.1 503 x\r\nRetry-After: Mon, 23 Nov 2020 00:00:00 GMT\r\n\r\n",
    )

    def mutant() -> bytes:
        data = bytearray(chance.choice(whole))
        for _ in range(chance.randint(1, 6)):
            at = chance.randrange(len(data))
            kind = chance.randrange(4)
            if kind == 0:
                data[at] = chance.randrange(256)
            elif kind == 1:
                del data[at : at + chance.randint(1, 9)]
            elif kind == 2:
                data[at:at] = data[at : at + chance.randint(1, 40)] * chance.randint(1, 50)
            else:
                data[at:at] = chance.choice(
                    (b"\r\n", b"\0", b"\xff", b"9" * 99, b"[", b"@", b":-1")
                )
            data = data or bytearray(b"x")
        return bytes(data)

    return mutant


def test_no_answer_is_a_traceback(site: Site) -> None:
    mutant = _mutants(seed=11, count=60)
    bounds = Bounds(connect=0.5, stall=0.3, total=0.5, attempts=1, retry_after=0.1, reach=1)
    served: list[bytes] = []

    def converse(line: object) -> None:
        served.append(mutant())
        answering(served[-1])(line)  # type: ignore[arg-type]

    with listen(converse) as port:
        for number in range(60):
            source = source_of(f"http://127.0.0.1:{port}/{number}", name=f"tool{number}")
            try:
                assert site.fetch(source, bounds=bounds).size <= 1 << 24
            except (SourceUnreachable, VerificationError):
                continue
            except Exception as error:
                pytest.fail(f"{error!r} for {served[-1]!r}")
