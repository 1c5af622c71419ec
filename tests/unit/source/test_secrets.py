"""Users, passwords and tokens of URLs are seen nowhere; nor do peers' bytes reach a terminal."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from builder.base import vault
from builder.base.model import Yum, load_base
from builder.console import Console
from builder.doctor import outside
from builder.doctor.finding import as_json, lines
from builder.errors import SourceUnreachable, VerificationError
from builder.host.paths import find_project
from builder.report.failure import render
from builder.shown import LONGEST_ANSWER, answer, printable, secrets_of, shown, without_secrets
from builder.source.model import Location, Source
from builder.source.probe import probe
from tests.support.source import ftpserver
from tests.support.source.peer import answering, ftp, listen
from tests.support.source.server import DIGEST, Habits
from tests.support.source.site import Site, source_of

WORDS = ("sesame", "jimmy", "opensaysme")
USERS = [
    "jimmy:sesame@",
    "jimmy:se@sesame@sesame@",
    "jimmy:sesame%40sesame@",
    "sesame@",
    ":sesame@",
    "jimmy:sesame/sesame@",
    "jimmy:sesame?sesame@",
    "jimmy:sesame#sesame@",
]


def _secret(text: str) -> str | None:
    return next((word for word in WORDS if word in text.lower()), None)


def _all_told(site: Site, failure: Exception) -> str:
    lock = site.lock.path.read_text() if site.lock.path.exists() else ""
    assert isinstance(failure, SourceUnreachable | VerificationError)
    return site.said.getvalue() + render(failure, can_enter=False) + str(failure) + lock


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("scheme", ["http", "HTTP", "Https", "ftp", "FTP"])
def test_a_url_is_shown_without_secrets(user: str, scheme: str) -> None:
    url = f"{scheme}://{user}host:80/a/x.tar?token=opensaysme&b=c"
    assert without_secrets(url) == f"{scheme}://host:80/a/x.tar"
    assert without_secrets(f"{url}#opensaysme") == f"{scheme}://host:80/a/x.tar"
    assert _secret(shown(f"cannot read {url}, or <{url}>: {url}")) is None
    assert _secret(Location(url).label) is None


@pytest.mark.parametrize(
    "url",
    [
        *("https://host/x@1.0/y.tar", "http://[::1]:80/x", "http://host:80/@/x", "apt:x=1.0"),
        *("file:../x@y", "file:///x?y", "sources/x@1.tar", "/a/b@c", "ftp://h/%40", "http://a:b/x"),
    ],
)
def test_what_is_no_secret_stays(url: str) -> None:
    assert without_secrets(url) == url
    assert shown(f"no {url}, then") == f"no {url}, then"
    assert shown("http://h/x.deb#usr/src/x.tar") == "http://h/x.deb#usr/src/x.tar"


def test_a_location_without_a_scheme_has_secrets_too() -> None:
    assert without_secrets("jimmy:sesame@host/vault") == "host/vault"
    assert without_secrets("//jimmy:sesame@host/vault?token=opensaysme") == "//host/vault"


def test_a_fetch_tells_and_keeps_no_secret(site: Site, server: Habits) -> None:
    place = server.url("/good/a").removeprefix("http://")
    url = f"HTTP://jimmy:se@sesame@{place}?token=opensaysme#opensaysme"
    got = site.fetch(source_of(url))
    assert got.sha256 == DIGEST
    assert got.url == f"HTTP://{place}"
    assert _secret(site.said.getvalue() + site.lock.path.read_text() + repr(got)) is None
    assert [_secret(name) for name in map(str, site.root.rglob("*"))] == [None] * len(
        list(site.root.rglob("*"))
    )
    # A pin holds for its location, whatever its query is, and so does one of earlier versions.
    got.path.unlink()
    assert site.fetch(source_of(url.replace("opensaysme", "other")), locked=True).sha256 == DIGEST
    got.path.unlink()
    text = site.lock.path.read_text().replace(f"{place}", f"{place}?token=opensaysme")
    site.lock.path.write_text(text)
    assert _secret(site.fetch(source_of(url), locked=True).url) is None


@pytest.mark.parametrize("path", ["/echo", "/echo/again", "/echo/again/%0A"])
def test_a_peer_that_echoes_a_secret_does_not_show_it(
    site: Site, server: Habits, path: str
) -> None:
    place = server.url(path).removeprefix("http://")
    with pytest.raises(SourceUnreachable) as failure:
        site.fetch(source_of(f"http://jimmy:sesame@{place}?token=opensaysme"))
    told = _all_told(site, failure.value)
    assert _secret(told) is None, told


@pytest.mark.parametrize(
    "place", ["[::1/x", "host:port/x", "host:99999/x", "a..b/x", "127.0.0.1:1/x", "\x00/x", "/x"]
)
@pytest.mark.parametrize("scheme", ["http", "https", "ftp"])
def test_an_exception_of_a_library_has_no_secret(site: Site, scheme: str, place: str) -> None:
    url = f"{scheme}://jimmy:sesame@{place}?token=opensaysme"
    with pytest.raises(SourceUnreachable) as failure:
        site.fetch(source_of(url))
    told = _all_told(site, failure.value)
    assert _secret(told) is None, told
    with pytest.raises(OSError) as refusal:
        probe(url, site.root, seconds=1)
    assert _secret(str(refusal.value)) is None


def test_a_proxys_password_is_not_shown(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    refusal = b"HTTP/1.1 407 no jimmy:sesame\r\n\r\n"
    with listen(answering(refusal)) as port:
        for name in ("http_proxy", "https_proxy"):
            monkeypatch.setenv(name, f"http://jimmy:sesame@127.0.0.1:{port}")
        with pytest.raises(SourceUnreachable) as failure:
            site.fetch(source_of("http://host.invalid/x", "https://host.invalid/x"))
    assert "407" in failure.value.cause
    assert _secret(_all_told(site, failure.value)) is None


def test_ftp_shows_no_secret(site: Site) -> None:
    with ftpserver.serve() as (port, log), pytest.raises(SourceUnreachable) as failure:
        site.fetch(source_of(f"ftp://jimmy:se%40same@127.0.0.1:{port}/missing"))
    assert "PASS se@same" in log
    told = _all_told(site, failure.value)
    assert _secret(told) is None
    assert "se@same" not in told
    conversation = ftp((b"USER", b"331 x\r\n"), (b"PASS", b"530 jimmy:sesame is wrong\r\n"))
    with listen(conversation) as port, pytest.raises(SourceUnreachable) as failure:
        site.fetch(source_of(f"ftp://jimmy:sesame@127.0.0.1:{port}/x"))
    assert _secret(_all_told(site, failure.value)) is None


def test_wrong_bytes_are_told_without_secrets(site: Site, server: Habits) -> None:
    place = server.url("/wrong").removeprefix("http://")
    source = source_of(f"http://jimmy:sesame@{place}?token=opensaysme", sha256=DIGEST)
    with pytest.raises(VerificationError) as failure:
        site.fetch(source)
    assert _secret(_all_told(site, failure.value)) is None


def test_a_member_of_a_secret_place_is_named(site: Site, server: Habits) -> None:
    url = server.url("/good/x.deb?token=opensaysme")
    assert Location(url, member="usr/x").label == server.url("/good/x.deb#usr/x")
    with pytest.raises(VerificationError) as failure:
        site.fetch(Source("x", "x.tar", (Location(url, member="usr/x"),)))
    assert _secret(_all_told(site, failure.value)) is None


def test_the_doctor_shows_no_secret(tmp_path: Path, server: Habits) -> None:
    place = server.url("/echo").removeprefix("http://")
    urls = [f"http://jimmy:sesame@{place}?token=opensaysme", "HTTP://jimmy:sesame@[::1/x"]
    found = tuple(outside.examine_sources([("x", urls)], lambda url: probe(url, tmp_path)))
    told = "\n".join(lines(found)) + as_json(found)
    assert "HTTP 404" in told
    assert _secret(told) is None


@pytest.mark.parametrize("mirror", ["http://jimmy:sesame@{place}", "jimmy:sesame@{place}"])
def test_a_vault_is_named_without_secrets(
    server: Habits, monkeypatch: pytest.MonkeyPatch, mirror: str
) -> None:
    place = server.url("/echo").removeprefix("http://")
    monkeypatch.setenv(vault.VARIABLE, mirror.format(place=place))
    settings = load_base(find_project().bases / "centos6").settings
    assert isinstance(settings, Yum)
    with pytest.raises(SourceUnreachable) as failure:
        vault.choose(settings, lambda url: probe(url, Path("/")))
    assert place in failure.value.cause
    assert _secret(render(failure.value, can_enter=False)) is None


def test_control_characters_of_peers_are_escaped(site: Site) -> None:
    hostile = "\x1b[2J\x07\u202e\u2066\x9b31m\r\udc80\u2028"
    said = io.StringIO()
    for interactive in (False, True):
        Console(stream=said, interactive=interactive).say(f"peer: {hostile}")
    error = SourceUnreachable(f"w {hostile}", f"c {hostile}", f"n {hostile}")
    for text in (said.getvalue(), render(error, can_enter=False), printable(hostile)):
        assert all(one.isprintable() or one == "\n" for one in text)
        assert r"\x1b[2J\x07\u202e\u2066\x9b31m" in text
    assert printable("a\tb\nc \u00e9\u4e2d") == "a\tb\nc \u00e9\u4e2d"
    head = b"HTTP/1.1 404 \x1b]0;x\x07\r\n"
    with listen(answering(head + b"\r\n")) as port, pytest.raises(SourceUnreachable) as failure:
        site.fetch(source_of(f"http://127.0.0.1:{port}/\x1b[2J"))
    assert r"404 \x1b]0;x\x07" in failure.value.cause
    assert "\x1b" not in site.said.getvalue() + render(failure.value, can_enter=False)


def test_an_answer_is_one_short_line() -> None:
    told = answer("a\nfailed: b\r\n\x0bc" + "x" * 999)
    assert told.startswith("a / failed: b")
    assert len(told) <= LONGEST_ANSWER + 3
    assert "\n" not in told
    assert answer("no sesame here", secrets_of("http://u:sesame@h/")) == "no *** here"


@pytest.mark.parametrize(("user", "sent"), [("", None), ("me:mine@", "Basic bWU6bWluZQ==")])
def test_what_is_in_netrc_is_not_sent_in_clear_text(
    site: Site,
    server: Habits,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    user: str,
    sent: str | None,
) -> None:
    """The URL's own user is its author's wish."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login jimmy password sesame\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    site.fetch(source_of(server.url("/good/a").replace("//", f"//{user}")))
    assert server.passwords == [sent]
