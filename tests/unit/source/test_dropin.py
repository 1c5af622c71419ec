"""What lies in sources/ is looked at in every run, before the cache and before any location."""

from __future__ import annotations

import os

import pytest

from builder.digest import of_bytes
from builder.errors import UsageError, VerificationError
from tests.support.source.server import BODY, DIGEST, Habits, tar_of
from tests.support.source.site import Site, source_of

OTHER = tar_of(b"another")


def test_a_file_that_differs_from_the_pin_is_told_though_the_cache_is_warm(
    site: Site, server: Habits
) -> None:
    source = source_of(server.url("/good/a"))
    site.fetch(source)
    lock = site.lock.path.read_bytes()
    site.drop_in("tool.tar", OTHER)
    for _ in range(2):
        with pytest.raises(VerificationError) as failure:
            site.fetch(source)
        assert failure.value.exit_code == 4
        assert "from sources/tool.tar is not what was pinned" in failure.value.what
        assert f"expected {DIGEST}" in failure.value.cause
        assert of_bytes(OTHER) in failure.value.cause
    site.drop_in("tool.tar", b"<html>")
    with pytest.raises(VerificationError, match="it is an HTML page"):
        site.fetch(source)
    site.drop_in("tool.tar", BODY)
    assert site.fetch(source).url == "sources/tool.tar"
    (site.project.dropin / "tool.tar").unlink()
    assert site.fetch(source).url == server.url("/good/a")
    assert site.lock.path.read_bytes() == lock


def test_one_that_differs_is_told_whatever_pinned_the_source(site: Site, server: Habits) -> None:
    site.drop_in("tool.tar", OTHER)
    with pytest.raises(VerificationError, match=r"from sources/tool\.tar is not"):
        site.fetch(source_of(server.url("/good/a"), sha256=DIGEST), locked=True)
    assert server.requests == []
    site.drop_in("tool.tar", BODY)
    got = site.fetch(source_of(server.url("/good/a"), sha256=DIGEST), locked=True)
    assert got.url == "sources/tool.tar"
    assert not site.lock.path.exists()


def test_a_new_one_is_taken_by_update(site: Site, server: Habits) -> None:
    source = source_of(server.url("/good/a"))
    site.fetch(source)
    site.drop_in("tool.tar", OTHER)
    assert site.fetch(source, update=True).path.read_bytes() == OTHER


def test_a_good_file_in_the_place_of_a_bad_one_is_taken_at_once(site: Site) -> None:
    site.drop_in("tool.tar", OTHER)
    source = source_of("file:none", sha256=DIGEST)
    with pytest.raises(VerificationError):
        site.fetch(source)
    site.drop_in("tool.tar", BODY)
    assert site.fetch(source).sha256 == DIGEST


@pytest.mark.parametrize("kind", ["folder", "link to nothing", "pipe"])
def test_what_is_no_file_is_told(site: Site, server: Habits, kind: str) -> None:
    source = source_of(server.url("/good/a"))
    site.fetch(source)
    place = site.project.dropin / "tool.tar"
    place.parent.mkdir(parents=True)
    if kind == "folder":
        place.mkdir()
    elif kind == "pipe":
        os.mkfifo(place)
    else:
        place.symlink_to("nothing")
    with pytest.raises(UsageError, match=r"sources/tool\.tar cannot be used"):
        site.fetch(source)
