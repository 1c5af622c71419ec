"""A first use is judged before it is pinned; after what is not it, the next location is asked."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import lzma
import subprocess
import tarfile
from pathlib import Path

import pytest

from builder.digest import Digest, of_bytes
from builder.errors import VerificationError
from builder.source.expected import Expected
from builder.source.fetch import fetch
from builder.source.model import Location, Source
from tests.support.archive import raw
from tests.support.source import rpms
from tests.support.source.peer import answering, listen
from tests.support.source.server import Habits, tar_of
from tests.support.source.site import QUICK, Site

TAR = tar_of(b"int main(void) { return 0; }\n" * 999, "main.c", "Makefile")
GZ = gzip.compress(TAR, mtime=0)
PAGE = b"<!DOCTYPE html>\n<html><head><title>Sign in to\n Example Corp</title></head></html>"


def _zip() -> bytes:
    return b"PK\x03\x04" + bytes(200)


def _fifo() -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        member = tarfile.TarInfo("tool-1.0/pipe")
        member.type = tarfile.FIFOTYPE
        archive.addfile(member)
    return made.getvalue()


NO_ARCHIVE = {
    "page": ("tool.tar.gz", PAGE, "an HTML page ('Sign in to Example Corp')"),
    "page with a mark": ("tool.tar.gz", b"\xef\xbb\xbf\r\n <HTML>x", "an HTML page"),
    "page in UTF-16": ("tool.tar.gz", "\ufeff<html>".encode("utf-16-le"), "an HTML page"),
    "packed page": ("tool.tar.gz", gzip.compress(PAGE), "an HTML page"),
    "page for a patch": ("tool.patch", PAGE, "an HTML page"),
    "page for an RPM": ("tool.src.rpm", PAGE, "an HTML page"),
    "empty": ("tool.tar.gz", b"", "an empty file"),
    "empty patch": ("tool.patch", b"", "an empty file"),
    "packed nothing": ("tool.tar.gz", gzip.compress(b""), "an empty file, compressed with gzip"),
    "hello": ("tool.tar.gz", b"hello\n", "a text ('hello')"),
    "JSON": ("tool.tar.gz", b'{"error": "quota"}', "a JSON document"),
    "XML": ("tool.tar.gz", b"<?xml version='1.0'?><Error/>", "an XML document"),
    "pointer": ("tool.tar.gz", b"version https://git-lfs.github.com/spec/v1\n", "Git LFS"),
    "zip": ("tool.tar.gz", _zip(), "a ZIP archive"),
    "program": ("tool.tar.gz", b"\x7fELF" + bytes(600), "a program"),
    "garbage": ("tool.tar.gz", bytes(range(128, 256)) * 9, "a file of an unknown kind"),
    "packed twice": ("tool.tar.gz", gzip.compress(GZ), "a doubly compressed file"),
    "packed again": ("tool.tar.gz", lzma.compress(GZ), "a doubly compressed file"),
    "other packing": ("tool.tar.gz", bz2.compress(TAR), "compressed with bzip2, not a tar"),
    "not packed": ("tool.tar.gz", TAR, "a tar, not a tar, compressed with gzip"),
    "packed after all": ("tool.tar", GZ, "compressed with gzip, not a tar"),
    "cut tar": ("tool.tar", TAR[:-2000], "damaged or cut off"),
    "cut gzip": ("tool.tar.gz", GZ[:-9], "damaged or cut off"),
    "changed gzip": ("tool.tar.gz", GZ[:-8] + bytes(8), "damaged or cut off"),
    "cut xz": ("tool.tar.xz", lzma.compress(TAR)[:-30], "damaged or cut off"),
    "second file behind": ("tool.tar.gz", GZ + PAGE, "damaged or cut off"),
    "no members": ("tool.tar", bytes(10240), "a file of an unknown kind"),
    "device": ("tool.tar", _fifo(), "named pipe"),
    "cut patch": ("tool.patch.gz", gzip.compress(b"--- a\n" * 99)[:-5], "damaged or cut off"),
    "tar for an RPM": ("tool.src.rpm", TAR, "a tar, not an RPM"),
}


def test_a_tar_of_the_oldest_format_is_told_as_a_tar(site: Site, server: Habits) -> None:
    old = raw.file(b"tool-1.0/main.c", magic=raw.OLD) + raw.END
    server.bodies["x"] = gzip.compress(old)
    _fetch(site, "tool.tar.gz", server.url("/body/x"))
    assert (
        "and is a tar, compressed with gzip, 1 members of 4 bytes: main.c" in site.said.getvalue()
    )


def _fetch(site: Site, file: str, *urls: str, expected: Expected | None = None) -> bytes:
    source = Source("tool", file, tuple(map(Location, urls)))
    got = fetch(
        source,
        cache=site.cache,
        project=site.project,
        lock=site.lock,
        console=site.console,
        locked=False,
        bounds=QUICK,
        expected=expected or Expected(),
    )
    return got.path.read_bytes()


@pytest.mark.parametrize("name", NO_ARCHIVE)
def test_what_is_no_archive_is_named_and_not_pinned(site: Site, server: Habits, name: str) -> None:
    file, body, words = NO_ARCHIVE[name]
    server.bodies["x"] = body
    url = server.url("/body/x")
    with pytest.raises(VerificationError) as failure:
        _fetch(site, file, url)
    (line,) = failure.value.cause.splitlines()
    assert line.startswith(f"{url}: it served ")
    assert words in line
    assert not site.lock.path.exists()
    assert not site.cache.blobs.exists()
    (kept,) = site.cache.aside.iterdir()
    assert kept.read_bytes() == body
    assert f"kept as {kept}" in line


@pytest.mark.parametrize("name", ["page", "empty", "cut gzip", "packed twice"])
def test_the_next_location_is_asked_after_what_is_no_archive(
    site: Site, server: Habits, name: str
) -> None:
    server.bodies |= {"bad": NO_ARCHIVE[name][1], "good": GZ}
    bad, good = server.url("/body/bad"), server.url("/body/good")
    assert _fetch(site, "tool.tar.gz", bad, good) == GZ
    assert site.lock.pins("tool")["upstream"].url == good
    assert f"{bad}: it served " in site.said.getvalue()


@pytest.mark.parametrize("name", ["hello", "page", "empty", "cut gzip"])
def test_what_lies_in_the_drop_in_folder_is_judged_as_well(
    site: Site, server: Habits, name: str
) -> None:
    _, body, words = NO_ARCHIVE[name]
    site.drop_in("tool.tar.gz", body)
    with pytest.raises(VerificationError) as failure:
        _fetch(site, "tool.tar.gz", server.url("/status/404"))
    first, second = failure.value.cause.splitlines()
    assert first.startswith("sources/tool.tar.gz: it served ")
    assert words in first
    assert second == f"{server.url('/status/404')}: HTTP 404 Not Found"
    assert not site.lock.path.exists()
    site.drop_in("tool.tar.gz", GZ)
    assert _fetch(site, "tool.tar.gz", server.url("/status/404")) == GZ


RIGHT = {
    "tool.tar": TAR,
    "tool.tar.gz": GZ,
    "tool.tgz": GZ,
    "tool.tar.bz2": bz2.compress(TAR),
    "tool.tar.xz": lzma.compress(TAR),
    "tool.tar.lzma": lzma.compress(TAR, lzma.FORMAT_ALONE),
    "tool.patch": b"--- a/x\n+++ b/x\n",
    "tool.patch.gz": gzip.compress(b"--- a/x\n+++ b/x\n"),
    "tool.bin": bytes(100),
}


@pytest.mark.parametrize("file", RIGHT)
def test_what_is_right_is_taken(site: Site, server: Habits, file: str) -> None:
    server.bodies["x"] = RIGHT[file]
    assert _fetch(site, file, server.url("/body/x")) == RIGHT[file]


def test_a_tar_of_before_1988_is_one_too(site: Site, server: Habits) -> None:
    head = bytearray(TAR)
    for at in (0, 512 + len(TAR[512:].split(b"tool-1.0/Makefile")[0])):
        head[at + 257 : at + 265] = bytes(8)
        head[at + 148 : at + 156] = b" " * 8
        total = sum(head[at : at + 512])
        head[at + 148 : at + 156] = b"%06o\0 " % total
    server.bodies["x"] = gzip.compress(bytes(head))
    assert _fetch(site, "tool.tar.gz", server.url("/body/x")) == server.bodies["x"]


def test_a_location_s_own_name_tells_its_kind_too(site: Site, server: Habits) -> None:
    server.body = GZ
    assert _fetch(site, "tool.tar.xz", server.url("/good/tool-1.0.tar.gz")) == GZ


def test_an_rpm_is_read_to_its_end(site: Site, server: Habits, tmp_path: Path) -> None:
    data = rpms.build(tmp_path / "rpm").read_bytes()
    server.bodies |= {"cut": data[:-200], "good": data}
    bad, good = server.url("/body/cut"), server.url("/body/good")
    names = frozenset({"kernel.spec", "linux.tar"})
    assert _fetch(site, rpms.NAME, bad, good, expected=Expected(names)) == data
    assert f"{bad}: it served an RPM that is damaged or cut off" in site.said.getvalue()
    with pytest.raises(VerificationError, match="lacks config; it has "):
        site.lock.path.unlink()
        _fetch(site, rpms.NAME, good, expected=Expected(frozenset({"config"})))


def test_the_members_that_the_profile_looks_for_must_be_there(site: Site, server: Habits) -> None:
    server.bodies["x"] = GZ
    url = server.url("/body/x")
    with pytest.raises(VerificationError) as failure:
        _fetch(site, "tool.tar.gz", url, expected=Expected(frozenset({"main.c", "lvs.patch"})))
    assert "that lacks lvs.patch; it has main.c, Makefile" in failure.value.cause
    assert not site.lock.path.exists()
    assert _fetch(site, "tool.tar.gz", url, expected=Expected(frozenset({"main.c"}))) == GZ


def test_first_use_over_plain_http_says_what_it_is(site: Site, server: Habits) -> None:
    server.bodies["x"] = GZ
    _fetch(site, "tool.tar.gz", server.url("/body/x"), expected=Expected(kernel=True))
    said = site.said.getvalue()
    assert f"sha256 {hashlib.sha256(GZ).hexdigest()}" in said
    assert f"it has {len(GZ)} bytes and is a tar, compressed with gzip, 2 members" in said
    assert "main.c, Makefile" in said
    assert "came over plain http" in said
    assert "code for a kernel" in said
    assert "docs/explanation/security.md" in said


def test_a_first_use_by_hand_came_over_no_network(site: Site) -> None:
    site.drop_in("tool.tar.gz", GZ)
    assert _fetch(site, "tool.tar.gz", "file:none") == GZ
    assert "plain" not in site.said.getvalue()
    assert "2 members" in site.said.getvalue()


def test_a_wrong_digest_is_told_with_what_came_and_from_where(site: Site, server: Habits) -> None:
    """The address that served it, after redirects, without its secrets."""
    server.bodies["login"] = gzip.compress(TAR, 1)
    target = server.url("/body/login?token=opensesame").replace("http://", "http://me:sesame@")
    head = b"HTTP/1.1 302 Found\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n" % target.encode()
    with listen(answering(head)) as port:
        url = f"http://127.0.0.1:{port}/tool.tar.gz"
        source = Source(
            "tool",
            "tool.tar.gz",
            (Location(server.url("/status/404")), Location(url)),
            Digest("0" * 64),
        )
        with pytest.raises(VerificationError) as failure:
            site.fetch(source)
    assert failure.value.exit_code == 4
    assert url in failure.value.what
    assert "it is a tar, compressed with gzip" in failure.value.cause
    assert f"served by {server.url('/body/login')})" in failure.value.cause
    assert f"{server.url('/status/404')}, asked before: HTTP 404" in failure.value.cause
    assert "sesame" not in str(failure.value) + site.said.getvalue()


@pytest.mark.parametrize("body", [PAGE, b"", b'{"error": "quota"}', b"<?xml version='1.0'?>"])
def test_a_login_page_in_the_place_of_a_pinned_file_is_one_locations_answer(
    site: Site, server: Habits, body: bytes
) -> None:
    server.bodies.update(login=body, good=GZ)
    first, second = (Location(server.url(f"/body/{name}")) for name in ("login", "good"))
    source = Source("tool", "tool.tar.gz", (first, second), of_bytes(GZ))
    assert site.fetch(source, locked=True).url == second.url
    assert f"{first.url}: it served " in site.said.getvalue()
    assert len(list(site.cache.aside.iterdir())) == 1
    alone = Source("other", "tool.tar.gz", (first,), of_bytes(TAR))
    with pytest.raises(VerificationError, match="no location serves") as failure:
        site.fetch(alone)
    assert f"sha256 {of_bytes(TAR)}" in failure.value.hint


def test_a_drop_in_that_is_the_pinned_one_does_not_touch_the_lock(
    site: Site, server: Habits
) -> None:
    server.bodies["x"] = GZ
    url = server.url("/body/x")
    _fetch(site, "tool.tar.gz", url)
    before = site.lock.path.read_bytes(), site.lock.path.stat().st_ino
    subprocess.run(["rm", "-rf", site.cache.root], check=True)
    site.drop_in("tool.tar.gz", GZ)
    assert _fetch(site, "tool.tar.gz", url) == GZ
    assert (site.lock.path.read_bytes(), site.lock.path.stat().st_ino) == before
