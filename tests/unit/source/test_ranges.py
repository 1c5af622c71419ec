"""Whatever a server answers to a request for the rest, the download ends whole and right.

If it cannot, the next location is asked; what was got before is given up once.
"""

from __future__ import annotations

import re
import socket

import msgspec
import pytest

from builder.errors import SourceUnreachable
from builder.source.transfer import Partial
from tests.support.source.peer import Conversation, hear, listen
from tests.support.source.server import BODY, DIGEST, TAG, Habits
from tests.support.source.site import QUICK, Site, source_of

WHOLE = len(BODY)
HALF = WHOLE // 2
REST = BODY[HALF:]
BOUNDS = msgspec.structs.replace(QUICK, attempts=2, stall=2.0, total=20.0)
_RANGE = re.compile(rb"^range: *bytes=(\d+)-", re.IGNORECASE | re.MULTILINE)


def _head(status: str, *fields: str, length: int | None = None) -> bytes:
    lines = [f"HTTP/1.1 {status}", *fields, "Connection: close"]
    if length is not None:
        lines.append(f"Content-Length: {length}")
    return "\r\n".join([*lines, "", ""]).encode()


def _range(start: int, end: int = WHOLE - 1, whole: int | str = WHOLE) -> str:
    return f"Content-Range: bytes {start}-{end}/{whole}"


def _parts() -> bytes:
    part = f"\r\n--x\r\nContent-Type: a/b\r\n{_range(HALF)}\r\n\r\n".encode() + REST
    return part + b"\r\n--x--\r\n"


def _chunked(body: bytes) -> bytes:
    return b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)


TAGGED = f"ETag: {TAG}"
ANSWERS = {
    "400": _head("400 Bad Request", length=0),
    "403": _head("403 Forbidden", length=0),
    "404": _head("404 Not Found", length=0),
    "405": _head("405 Method Not Allowed", length=0),
    "412": _head("412 Precondition Failed", length=0),
    "416 that tells nothing": _head("416 Range Not Satisfiable", length=0),
    "416 with a size": _head("416 Range Not Satisfiable", f"Content-Range: bytes */{WHOLE}"),
    "416 with its place": _head("416 Range Not Satisfiable", f"Content-Range: bytes */{HALF}"),
    "500": _head("500 Internal Server Error", length=0),
    "501": _head("501 Not Implemented", length=0),
    "503": _head("503 Service Unavailable", length=0),
    "505": _head("505 HTTP Version Not Supported", length=0),
    "204": _head("204 No Content"),
    "nothing": b"",
    "no HTTP": b"hello\r\n",
    "reset in the head": b"HTTP/1.1 206 Part",
    "whole": _head("200 OK", TAGGED, length=WHOLE) + BODY,
    "whole of another tag": _head("200 OK", 'ETag: "two"', length=WHOLE) + BODY,
    "whole in chunks": _head("200 OK", TAGGED, "Transfer-Encoding: chunked") + _chunked(BODY),
    "slice as if whole": _head("200 OK", TAGGED, length=HALF) + REST,
    "slice of no tag": _head("200 OK", length=HALF) + REST,
    "slice in chunks": _head("200 OK", TAGGED, "Transfer-Encoding: chunked") + _chunked(REST),
    "slice to the end": _head("200 OK", TAGGED) + REST,
    "slice that claims all": _head("200 OK", TAGGED, length=WHOLE) + REST,
    "rest": _head("206 Partial Content", TAGGED, _range(HALF), length=HALF) + REST,
    "rest, size unknown": _head("206 Partial Content", TAGGED, _range(HALF, whole="*")) + REST,
    "206 without a range": _head("206 Partial Content", TAGGED, length=HALF) + REST,
    "206 from 0": _head("206 Partial Content", TAGGED, _range(0), length=WHOLE) + BODY,
    "206 from elsewhere": _head("206 Partial Content", TAGGED, _range(9), length=WHOLE - 9)
    + BODY[9:],
    "206 of a larger file": _head("206 Partial Content", TAGGED, _range(HALF, WHOLE, WHOLE + 1))
    + REST
    + b"!",
    "206 of another tag": _head("206 Partial Content", 'ETag: "two"', _range(HALF)) + REST,
    "206 with other bytes": _head("206 Partial Content", TAGGED, _range(HALF), length=HALF)
    + BODY[:HALF],
    "206 with all": _head("206 Partial Content", TAGGED, _range(HALF), length=WHOLE) + BODY,
    "206 of a little": _head("206 Partial Content", TAGGED, _range(HALF, HALF + 9), length=10)
    + REST[:10],
    "206 cut": _head("206 Partial Content", TAGGED, _range(HALF), length=HALF) + REST[:1000],
    "206 of nothing": _head("206 Partial Content", TAGGED, _range(HALF), length=0),
    "206 with a range of words": _head(
        "206 Partial Content", TAGGED, "Content-Range: bytes x-y/z", length=HALF
    )
    + REST,
    "206 in other units": _head(
        "206 Partial Content", TAGGED, f"Content-Range: pages {HALF}-{WHOLE - 1}/{WHOLE}"
    )
    + REST,
    "several parts": _head(
        "206 Partial Content", TAGGED, "Content-Type: multipart/byteranges; boundary=x"
    )
    + _parts(),
    "several parts with a range": _head(
        "206 Partial Content",
        TAGGED,
        "Content-Type: multipart/byteranges; boundary=x",
        _range(HALF),
    )
    + _parts(),
    "sent elsewhere": _head("302 Found", "Location: /", length=0),
    "sent nowhere": _head("302 Found", "Location: gopher://x/", length=0),
}


def _answering(rest: bytes, whole: bytes) -> Conversation:
    """Give ``rest`` to whoever asks for the rest of what HALF is the first part of."""

    def converse(line: socket.socket) -> None:
        heard = hear(line)
        if not heard:
            return
        asked = _RANGE.search(heard)
        start = int(asked[1]) if asked else 0
        if not asked:
            line.sendall(whole)
        elif start == HALF:
            line.sendall(rest)
        else:
            fields = (TAGGED, _range(start))
            line.sendall(_head("206 Partial Content", *fields) + BODY[start:])

    return converse


def _put_half(site: Site, url: str) -> None:
    partial = Partial.of(site.cache.partial, url)
    partial.path.write_bytes(BODY[:HALF])
    partial.remember(TAG, WHOLE)


# Of these nothing but the archive itself can tell that they are wrong.
UNTOLD = ("206 with other bytes", "206 with all", "slice that claims all", "slice to the end")


@pytest.mark.parametrize(
    ("name", "pinned"),
    [*((name, True) for name in ANSWERS), *((name, False) for name in UNTOLD)],
)
def test_the_download_ends_whole_and_right(site: Site, name: str, *, pinned: bool) -> None:
    whole = _head("200 OK", TAGGED, length=WHOLE) + BODY
    with listen(_answering(ANSWERS[name], whole)) as port:
        url = f"http://127.0.0.1:{port}/x"
        _put_half(site, url)
        got = site.fetch(source_of(url, sha256=DIGEST if pinned else None), bounds=BOUNDS)
    assert got.sha256 == DIGEST
    assert site.leftovers == []


@pytest.mark.parametrize("name", ["403", "501", "503", "206 from elsewhere", "slice as if whole"])
def test_the_next_location_is_asked_if_the_whole_does_not_come_either(
    site: Site, server: Habits, name: str
) -> None:
    whole = _head("403 Forbidden", length=0)
    with listen(_answering(ANSWERS[name], whole)) as port:
        url = f"http://127.0.0.1:{port}/x"
        _put_half(site, url)
        got = site.fetch(source_of(url, server.url("/good/x"), sha256=DIGEST), bounds=BOUNDS)
    assert (got.sha256, got.url) == (DIGEST, server.url("/good/x"))
    assert site.said.getvalue().count(f"{url}: HTTP 403 Forbidden\n") == 1


@pytest.mark.parametrize("name", ["403", "503", "nothing"])
def test_what_was_got_is_kept_for_a_server_that_serves_nothing_today(site: Site, name: str) -> None:
    with listen(_answering(ANSWERS[name], ANSWERS[name])) as port:
        url = f"http://127.0.0.1:{port}/x"
        _put_half(site, url)
        with pytest.raises(SourceUnreachable):
            site.fetch(source_of(url, sha256=DIGEST), bounds=BOUNDS)
        assert Partial.of(site.cache.partial, url).length == HALF
    assert len(site.leftovers) == 2


def test_a_wedged_part_is_thrown_away_once(site: Site) -> None:
    asked: list[bytes] = []

    def converse(line: socket.socket) -> None:
        heard = hear(line)
        if not heard:
            return
        asked.append(b"rest" if _RANGE.search(heard) else b"whole")
        line.sendall(_head("403 Forbidden", length=0))

    with listen(converse) as port:
        url = f"http://127.0.0.1:{port}/x"
        _put_half(site, url)
        with pytest.raises(SourceUnreachable) as failure:
            site.fetch(source_of(url, sha256=DIGEST), bounds=BOUNDS)
    assert asked == [b"rest", b"whole"]
    assert failure.value.cause == f"{url}: HTTP 403 Forbidden"


@pytest.mark.parametrize("status", [200, 206])
def test_a_partial_answer_that_nobody_asked_for_is_none(
    site: Site, server: Habits, status: int
) -> None:
    answer = _head(f"{status} x", _range(HALF), length=HALF) + REST
    with listen(_answering(answer, answer)) as port:
        url = f"http://127.0.0.1:{port}/x"
        got = site.fetch(source_of(url, server.url("/good/x")), bounds=BOUNDS)
    assert got.sha256 == DIGEST


@pytest.mark.parametrize("longer", [1, 5000])
def test_a_part_that_is_longer_than_the_file_is_given_up(
    site: Site, server: Habits, longer: int
) -> None:
    url = server.url("/good/x")
    partial = Partial.of(site.cache.partial, url)
    partial.path.write_bytes(BODY + b"x" * longer)
    partial.remember(server.tag, WHOLE)
    assert site.fetch(source_of(url, sha256=DIGEST)).sha256 == DIGEST
    assert site.leftovers == []
