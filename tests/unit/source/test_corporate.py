"""Authorities, proxies, redirects and waits as networks of companies have them."""

from __future__ import annotations

import datetime
import os
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from email.utils import format_datetime
from pathlib import Path

import pytest

from builder.errors import SourceUnreachable
from builder.source import moment
from builder.source.authorities import VARIABLES
from tests.support.source.authority import Authority, make, openssl
from tests.support.source.peer import answering, listen
from tests.support.source.server import BODY, DIGEST, Habits, serve
from tests.support.source.site import Site, source_of

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def secure(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> Iterator[Habits]:
    _clear(monkeypatch)
    with serve(authority.server) as habits:
        yield habits


def _clear(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
    for name in (*VARIABLES, *names, *map(str.upper, names)):
        monkeypatch.delenv(name, raising=False)


def _answer(site: Site, url: str) -> str:
    with pytest.raises(SourceUnreachable) as failure:
        site.fetch(source_of(url))
    return failure.value.cause


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
def test_the_authorities_that_a_variable_names_are_believed(
    site: Site,
    secure: Habits,
    authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
) -> None:
    monkeypatch.setenv(variable, str(authority.stranger))
    told = _answer(site, secure.url("/good/a"))
    assert "certificate verify failed" in told
    assert f"(authorities: {authority.stranger} of {variable})" in told
    monkeypatch.setenv(variable, str(authority.certificate))
    assert site.fetch(source_of(secure.url("/good/a"))).sha256 == DIGEST


def test_a_folder_of_authorities_is_believed(
    site: Site,
    secure: Habits,
    authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    (tmp_path / "ca.pem").write_bytes(authority.certificate.read_bytes())
    openssl(tmp_path, "rehash", ".")
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    assert site.fetch(source_of(secure.url("/good/a"))).sha256 == DIGEST


@pytest.mark.parametrize("variable", VARIABLES)
def test_a_bundle_that_is_not_there_is_named(
    site: Site, secure: Habits, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "/nowhere/corp.pem")
    url = secure.url("/good/a")
    told = f"{url}: {variable} names /nowhere/corp.pem, which does not exist"
    assert _answer(site, url) == told


def test_a_bundle_that_is_none_is_named(
    site: Site, secure: Habits, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bundle = tmp_path / "corp.pem"
    bundle.write_text("no certificate\n")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    told = _answer(site, secure.url("/good/a"))
    assert f"REQUESTS_CA_BUNDLE names {bundle}, which is not a bundle" in told
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "")
    assert "(authorities: the " in _answer(site, secure.url("/good/a"))


STORE = """
import ssl, sys
from builder.source import authorities
print(authorities.find())
"""


def test_the_system_s_store_is_believed_before_the_library_s_list(tmp_path: Path) -> None:
    store = Path(ssl.get_default_verify_paths().openssl_capath)
    env = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    argv = [sys.executable, "-c", STORE]
    told = subprocess.run(
        argv, cwd=ROOT, env=env, capture_output=True, text=True, check=True
    ).stdout
    file = Path(ssl.get_default_verify_paths().openssl_cafile)
    there = file.is_file() or any(store.glob("*.[0-9]"))
    assert told == f"authorities: the {'system' if there else 'Python library'}'s " + (
        "store\n" if there else "list\n"
    )


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("http://[::1", "Invalid IPv6 URL"),
        ("htp://proxy.example:3128", "its scheme is 'htp'"),
        ("http://proxy.example:port", "Port could not be cast"),
        ("http://proxy.example:99999", "Port out of range"),
        ("http://:3128", "not of the form"),
        ("http://proxy.example:0", "not of the form"),
        ("http://http://proxy.example:3128", "not of the form"),
        ("http://proxy .example:3128", "not of the form"),
        ("socks5://127.0.0.1:9", "SOCKS are not supported"),
        ("http://me:sesame@[::1", "Invalid IPv6 URL"),
    ],
)
@pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY", "all_proxy"])
def test_a_broken_proxy_variable_is_named(
    site: Site, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, words: str
) -> None:
    _clear(monkeypatch)
    monkeypatch.setenv(variable, value)
    told = _answer(site, "http://sources.example/x")
    assert variable in told
    assert words in told
    assert "sesame" not in told + site.said.getvalue()


def test_a_proxy_that_nobody_is_at_is_told_with_its_variable(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    _clear(monkeypatch)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    told = _answer(site, "http://sources.example/x")
    assert "no connection to the proxy 127.0.0.1:1: " in told
    assert "(from http_proxy)" in told


def test_a_proxy_that_refuses_is_told_with_its_variable(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    _clear(monkeypatch)
    refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
    with listen(answering(refusal)) as port:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
        told = _answer(site, "https://sources.example/x")
    assert "407 Proxy Authentication Required" in told
    assert "(the proxy of HTTPS_PROXY)" in told


@pytest.mark.parametrize(
    ("location", "asked"),
    [
        (b" /good/a", "/good/a"),
        (b"/good/a", "/good/a"),
        (b" \t/good/a \t", "/good/a"),
        (b" /good/a b", "/good/a%20b"),
        (b" /good/a%20b", "/good/a%20b"),
        (b" /good/100%", "/good/100%25"),
        (b" /good/\xc3\xa9.tar", "/good/%C3%A9.tar"),
        (b" /good/\xe9.tar", "/good/%E9.tar"),
        (b" /good/\xd1\x85\xe2\x80\xa6", "/good/%D1%85%E2%80%A6"),
        (b" /good/\x01\x7f\x0b\x0c\x1c\x85x", "/good/%01%7F%0B%0C%1C%85x"),
        (b" /good/x?a=\xc3\xa9 b", "/good/x?a=%C3%A9%20b"),
        (b" ../good/a", "/good/a"),
        (b" ../../../good/a", "/good/a"),
        (b" ?x=1", None),
        (b' /good/"<>{}|\\^`', "/good/%22%3C%3E%7B%7D%7C%5C%5E%60"),
    ],
)
def test_a_redirect_may_have_any_bytes(
    site: Site, server: Habits, location: bytes, asked: str | None
) -> None:
    server.bodies["x"] = location
    if asked is None:
        assert "more than 10 redirects" in _answer(site, server.url("/named/x"))
        return
    assert site.fetch(source_of(server.url("/named/x"))).path.read_bytes() == BODY
    assert server.requests[-1][0] == asked


NOW = datetime.datetime(2026, 11, 26, 12, 0, 0, tzinfo=datetime.UTC)
DATE = format_datetime(NOW, usegmt=True)


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Kathmandu"])
@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        ("0", 0.0),
        ("120", 120.0),
        (" 120 ", 120.0),
        ("007", 7.0),
        ("9" * 400, moment.LONGEST),
        ("9" * 5000, moment.LONGEST),
        ("Thu, 26 Nov 2026 12:02:00 GMT", 120.0),
        ("Thursday, 26-Nov-26 12:02:00 GMT", 120.0),
        ("Thu Nov 26 12:02:00 2026", 120.0),
        ("Sun Nov  6 08:49:37 1994", 0.0),
        ("Sunday, 06-Nov-94 08:49:37 GMT", 0.0),
        ("Mon, 23 Nov 2020 00:00:00 GMT", 0.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", moment.LONGEST),
        ("Thu, 26 Nov 2026 12:02:00 +0100", 0.0),
        ("-5", None),
        ("1.5", None),
        ("1e3", None),
        ("\u0661\u0662", None),
        ("soon", None),
        ("", None),
        ("Thu, 32 Nov 2026 12:02:00 GMT", None),
        ("Mon, 29-Feb-27 12:02:00 GMT", None),
    ],
)
def test_every_form_of_retry_after_is_understood_in_every_time_zone(
    monkeypatch: pytest.MonkeyPatch, zone: str, asked: str, seconds: float | None
) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        assert moment.wait({"Retry-After": asked, "Date": DATE}) == seconds
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("date", ["", "yesterday"])
def test_without_the_server_s_clock_the_host_s_counts(date: str) -> None:
    later = datetime.datetime.now(tz=datetime.UTC) + datetime.timedelta(minutes=5)
    for form in ("%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %d %H:%M:%S %Y"):
        waits = moment.wait({"Retry-After": later.strftime(form), "Date": date})
        assert waits is not None
        assert 290 < waits <= 300


def test_a_server_s_wait_is_kept(site: Site, server: Habits) -> None:
    """In asctime's form, which has no zone; a wait that is too long ends the location."""
    form = "%a_%b_%d_%H:%M:%S_%Y"
    now = datetime.datetime.now(tz=datetime.UTC)
    soon, late = (now + datetime.timedelta(seconds=more) for more in (-3600, 7200))
    first = source_of(server.url(f"/patience/{soon.strftime(form)}"), name="another")
    assert site.fetch(first).sha256 == DIGEST
    assert "retry after 7" in _answer(site, server.url(f"/patience/{late.strftime(form)}"))
